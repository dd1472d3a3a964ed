"""Simulated people, their faces and their pain: a cohort whose causes are known."""

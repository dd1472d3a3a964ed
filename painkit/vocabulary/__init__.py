"""What words mean: scales, pain, landmarks, action units, personal features, emotions."""

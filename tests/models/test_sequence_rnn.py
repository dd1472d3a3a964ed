"""The LSTM baseline."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.model_selection import GroupKFold, cross_val_predict
from synthetic_sequences import make_sequences

from painkit.errors import PainkitError
from painkit.models.sequences.sequence_rnn import SequenceRNN


@pytest.fixture(scope="module")
def data():
    return make_sequences(n_subjects=8, n_sequences=5, n_frames=20)


def test_unseen_subjects_are_estimated_better_than_by_the_training_mean(data):
    X, y, subjects = data
    # Few noise dimensions and short sequences: the LSTM needs far more data than the other models.
    model = SequenceRNN(random_state=0, epochs=60, batch_size=10, lr=3e-3, frame_step=2)
    predicted = cross_val_predict(model, X, y, groups=subjects, cv=GroupKFold(4))
    error, constant = np.abs(predicted - y).mean(axis=0), np.abs(y.mean(axis=0) - y).mean(axis=0)
    # 0.74 to 0.80 of the constant's error over four seeds.
    assert (error < 0.85 * constant).all()


def test_the_padding_of_a_batch_does_not_reach_the_estimate(data):
    X, y, _ = data
    model = SequenceRNN(random_state=0, epochs=1, standardize="train").fit(X, y)
    alone = np.concatenate([model.predict([sample]) for sample in X])
    np.testing.assert_allclose(model.predict(X), alone, atol=1e-5)


def test_sequences_without_a_tracked_frame_are_counted_and_answered_with_nan(data):
    X, y, _ = data
    X = [replace(X[0], landmarks=np.full_like(X[0].landmarks, np.nan)), *X[1:]]
    model = SequenceRNN(random_state=0, epochs=1).fit(X, y)
    assert model.n_unusable_sequences_ == 1
    assert np.flatnonzero(np.isnan(model.predict(X)).all(axis=1)).tolist() == [0]
    with pytest.raises(PainkitError, match="none of the frames of 1"):
        SequenceRNN().fit(X[:1], y[:1])

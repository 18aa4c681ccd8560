"""What the tests of augmentation share."""

import pytest

from course_lib.parts.augmentation import downstream


@pytest.fixture
def labelled(splits):
    """Patches with nodules, few of them labelled."""
    return splits("augmentation", "malignancy")


@pytest.fixture
def healthy(splits):
    """Healthy patches, and places without and with a nodule."""
    return splits("augmentation", "anomaly")


@pytest.fixture
def quick(monkeypatch):
    """Judges of one network and few steps."""
    monkeypatch.setattr(downstream, "NETWORKS", 1)
    monkeypatch.setattr(downstream, "EPOCHS", 8)

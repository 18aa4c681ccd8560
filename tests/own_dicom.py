"""Makes small DICOM files for the tests of own data."""

import numpy as np
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

CT, MR, DX = (f"1.2.840.10008.5.1.4.1.1.{n}" for n in ("2", "4", "1.1.1"))
CAPTURE, ENHANCED = "1.2.840.10008.5.1.4.1.1.7", "1.2.840.10008.5.1.4.1.1.4.1"
AXIAL = (1, 0, 0, 0, 1, 0)


def image(plane, **tags):
    """One file of numbers (y, x), or (frames, y, x), or (y, x, 3): a CT unless `tags` say else."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.MediaStorageSOPClassUID = tags.get("SOPClassUID", CT)
    head = FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)
    colour = plane.ndim == 3 and plane.shape[-1] == 3
    rows, columns = plane.shape[:2] if colour else plane.shape[-2:]
    about = {
        "SOPClassUID": meta.MediaStorageSOPClassUID,
        "SOPInstanceUID": meta.MediaStorageSOPInstanceUID,
        "Modality": "CT",
        "Rows": rows,
        "Columns": columns,
        "SamplesPerPixel": 3 if colour else 1,
        "PhotometricInterpretation": "RGB" if colour else "MONOCHROME2",
        "BitsAllocated": 8 if colour else 16,
        "BitsStored": 8 if colour else 16,
        "HighBit": 7 if colour else 15,
        "PixelRepresentation": 0 if colour else 1,
        "PixelData": plane.astype(np.uint8 if colour else np.int16).tobytes(),
    }
    if colour:
        about["PlanarConfiguration"] = 0
    for name, value in (about | tags).items():
        if value is not None:
            setattr(head, name, value)
    return head


def series(folder, volume, step=2.0, places=None, each=None, **tags):
    """A series in a folder, one file a slice; `places` along z, `each` gives tags of slice k."""
    folder.mkdir(parents=True, exist_ok=True)
    number = generate_uid()
    for k, plane in enumerate(volume):
        z = step * k if places is None else places[k]
        about = {
            "SeriesInstanceUID": number,
            "InstanceNumber": k + 1,
            "ImagePositionPatient": [0, 0, z],
            "ImageOrientationPatient": list(AXIAL),
            "PixelSpacing": [1.0, 1.0],
            "RescaleSlope": 1,
            "RescaleIntercept": 0,
        }
        about |= tags | (each(k) if each else {})
        save(image(plane, **about), folder / f"{number[-6:]}_{k:03d}")


def save(head, file):
    file.parent.mkdir(parents=True, exist_ok=True)
    head.save_as(file, enforce_file_format=True)


def frames(volume, step=2.0, slopes=None, **tags):
    """An enhanced (multi-frame) MR file: each frame says where it lies and what its numbers mean.
    Frames are stored from the last to the first."""
    per_frame = []
    for k in reversed(range(len(volume))):
        place, meaning = Dataset(), Dataset()
        place.ImagePositionPatient = [0, 0, step * k]
        meaning.RescaleSlope = 1 if slopes is None else slopes[k]
        meaning.RescaleIntercept, meaning.RescaleType = 0, "US"
        group = Dataset()
        group.PlanePositionSequence = Sequence([place])
        group.PixelValueTransformationSequence = Sequence([meaning])
        per_frame.append(group)
    size, lying, shared = Dataset(), Dataset(), Dataset()
    size.PixelSpacing = [1.5, 0.5]
    lying.ImageOrientationPatient = list(AXIAL)
    shared.PixelMeasuresSequence = Sequence([size])
    shared.PlaneOrientationSequence = Sequence([lying])
    return image(
        volume[::-1],
        SOPClassUID=ENHANCED,
        Modality="MR",
        NumberOfFrames=len(volume),
        SharedFunctionalGroupsSequence=Sequence([shared]),
        PerFrameFunctionalGroupsSequence=Sequence(per_frame),
        **tags,
    )

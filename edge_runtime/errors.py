"""Every error this software raises on purpose, in one tree.

    EdgeError                      1
    ├── ConfigError                3   a configuration file or setting is wrong
    ├── InputError                 4   data given to a model has the wrong shape, dtype or values
    ├── BundleError                5   a bundle cannot be read, or was altered
    │   ├── ArchiveError               its ZIP is not the canonical one
    │   ├── ManifestError              its manifest is not valid
    │   └── UnreadableError            the system does not let it be read now; it may be whole
    ├── TrustError                 6   no trusted signature, a bad key or root file
    ├── StoreError                 7   the store refuses or cannot do what was asked
    │   ├── OlderReleaseError          the release counter is below the store's floor
    │   └── StoreBusyError             another process holds the store's lock
    ├── EngineError                8   a model cannot be loaded or run here
    │   ├── GoldenMismatchError        it runs, but not with the source model's outputs
    │   └── UnavailableError           this machine lacks what would run it; the model may be fine
    ├── ConversionError            9   a trained model cannot be converted
    │   ├── UnsupportedModelError      no conversion exists for it
    │   └── ParityError                converted, but it disagrees with its source
    ├── MissingExtraError         10   an optional part of the installation is missing
    ├── StorageError              11   the disk is full or not writable, or something is there already
    ├── BrokerError               12   an MQTT broker cannot be reached or refuses us
    ├── WorkerError               13   a model's worker process died or did not answer
    └── MachineError              14   the doctor found a problem on this machine

The numbers are the exit codes of the commands. 0 is success, 2 a wrong command line, 70 a fault of
ours, 130 an interrupt. A message names the subject, what was expected, what was found and what to do
next, in one or two sentences.
"""

from typing import ClassVar


class EdgeError(Exception):
    """Base of all errors raised on purpose; `exit_code` is what a command ends with."""

    exit_code: ClassVar[int] = 1


class ConfigError(EdgeError):
    exit_code = 3


class InputError(EdgeError):
    exit_code = 4


class BundleError(EdgeError):
    exit_code = 5


class ArchiveError(BundleError):
    pass


class ManifestError(BundleError):
    pass


class UnreadableError(BundleError):
    pass


class TrustError(EdgeError):
    exit_code = 6


class StoreError(EdgeError):
    exit_code = 7


class OlderReleaseError(StoreError):
    pass


class StoreBusyError(StoreError):
    pass


class EngineError(EdgeError):
    exit_code = 8


class GoldenMismatchError(EngineError):
    pass


class UnavailableError(EngineError):
    pass


class ConversionError(EdgeError):
    exit_code = 9


class UnsupportedModelError(ConversionError):
    pass


class ParityError(ConversionError):
    pass


class MissingExtraError(EdgeError):
    exit_code = 10


class StorageError(EdgeError):
    exit_code = 11


class BrokerError(EdgeError):
    exit_code = 12


class WorkerError(EdgeError):
    exit_code = 13


class MachineError(EdgeError):
    exit_code = 14

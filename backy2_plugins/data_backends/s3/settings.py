"""What the section of this backend may hold."""

from __future__ import annotations

from backy2_core.api import Setting, SettingType

TEXT, PATH, SECRET = SettingType.TEXT, SettingType.PATH, SettingType.SECRET
BOOLEAN, INTEGER, DURATION = SettingType.BOOLEAN, SettingType.INTEGER, SettingType.DURATION

_BANDWIDTH = "Highest number of bytes a second to {}; 0: no limit."
_CHAIN = "Without it boto3 looks in the environment, in ~/.aws, and at the machine's role."

_PLACE = (
    Setting("bucket", TEXT, "backy2", "Name of the bucket, which must exist.", aliases=("bucket_name",)),
    Setting("prefix", TEXT, "", "What the keys of all objects begin with, such as host1/."),
    Setting("endpoint", TEXT, "", "URL of the server, http or https. Without it: AWS.", aliases=("endpoint_url",)),
    Setting("region", TEXT, "", "Region of the bucket, where the server has regions.", aliases=("region_name",)),
    Setting(
        "addressing_style",
        TEXT,
        "auto",
        "Where requests name the bucket: path, virtual (in the host name), or auto: path where endpoint is set, else virtual.",
    ),
    Setting(
        "verify_tls", BOOLEAN, True, "Check the server's certificate. Without it anybody on the way may be the server."
    ),
    Setting("ca_file", PATH, None, "File of certificates, in PEM, that the server's is checked against."),
)
_CREDENTIALS = (
    Setting("access_key_id", TEXT, "", f"The access key. {_CHAIN}", aliases=("aws_access_key_id",)),
    Setting("access_key_id_file", PATH, None, "A file that holds the access key.", aliases=("aws_access_key_id_file",)),
    Setting("secret_access_key", SECRET, None, "The secret that belongs to it.", aliases=("aws_secret_access_key",)),
    Setting(
        "secret_access_key_file",
        PATH,
        None,
        "A file that holds the secret.",
        aliases=("aws_secret_access_key_file",),
    ),
    Setting("session_token", SECRET, None, "The token that belongs to temporary keys."),
    Setting("profile", TEXT, "", "Profile in ~/.aws to take keys and region from."),
)
_OBJECTS = (
    Setting("storage_class", TEXT, "", "Storage class of new blobs, such as STANDARD_IA. Without it the bucket's own."),
    Setting(
        "server_side_encryption",
        TEXT,
        "none",
        "Encryption by the server, beside the bucket's own: AES256 under its key, aws:kms under the key kms_key_id.",
        choices=("none", "AES256", "aws:kms"),
    ),
    Setting("kms_key_id", TEXT, "", "Key of the key service for aws:kms. Without it the service's default key."),
    Setting(
        "upload_checksum",
        TEXT,
        "sha256",
        "By what the server checks an object before it takes it: sha256 in the signature, md5 or crc32 in a header (buckets "
        "with object lock want one of these), or none, which leaves it to TLS.",
        choices=("sha256", "md5", "crc32", "none"),
    ),
    Setting(
        "conditional_writes",
        TEXT,
        "auto",
        "Whether the server keeps an object from being written twice (If-None-Match). auto finds out before the first write.",
        choices=("auto", "yes", "no"),
    ),
    Setting("multi_delete", BOOLEAN, True, "Delete up to 1000 objects with one request."),
    Setting(
        "delete_versions",
        BOOLEAN,
        False,
        "In a bucket with versioning delete every version of an object, not only hide it behind a delete marker.",
    ),
    Setting(
        "disable_encoding_type",
        TEXT,
        "no",
        "Anything but no: listings are not asked for in URL encoding, which some servers do not know.",
    ),
)
_LIMITS = (
    Setting(
        "timeout",
        DURATION,
        60.0,
        "Longest time to connect, to send an object, or to wait for the next bytes of an answer. What fails is tried again, "
        "see retry_limit in section [backy2].",
        minimum=1,
    ),
    Setting("simultaneous_reads", INTEGER, 8, "Blobs to read at once.", minimum=1),
    Setting("simultaneous_writes", INTEGER, 8, "Blobs to write at once.", minimum=1),
    Setting("bandwidth_read", INTEGER, 0, _BANDWIDTH.format("read"), minimum=0),
    Setting("bandwidth_write", INTEGER, 0, _BANDWIDTH.format("write"), minimum=0),
)
_OF_THE_ORIGINAL = (
    Setting("host", TEXT, "", "Host of the server, as backy2 2.x had it; better write endpoint."),
    Setting("port", INTEGER, 0, "Its port, with host; 0: the usual one.", minimum=0),
    Setting("is_secure", BOOLEAN, False, "Whether host speaks https.", aliases=("secure",)),
)

SETTINGS: tuple[Setting, ...] = (*_PLACE, *_CREDENTIALS, *_OBJECTS, *_LIMITS, *_OF_THE_ORIGINAL)
"""Every setting, in the order of the example."""

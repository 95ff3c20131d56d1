"""What the data backend ``s3`` makes in a bucket, and how it gets on with what buckets can do."""

from __future__ import annotations

import base64
import hashlib
import logging
import zlib
from collections.abc import Iterator
from typing import Any

import pytest

from backy2_core.api import BlobDamagedError, BlobNotFoundError, BlobsKeptError, BlobUid, DataBackendError
from backy2_core.testing.data_backend_base import content_of, listed, new_uid, put, put_new, read
from backy2_core.wrappers.patience import Patience
from backy2_core.wrappers.retrying import RetryingDataBackend
from backy2_plugins.data_backends.s3.backend import S3DataBackend
from tests.support.s3 import LISTING, REGION, Answer, S3Server, Scripted

OF_THE_ORIGINAL = BlobUid("fcfc7c0e4cBACKYvUWJxQ2hPsTnLr8Ed")


@pytest.fixture(params=["moto", "gateway"])
def server(request: pytest.FixtureRequest) -> S3Server:
    """Each of the two servers."""
    found: S3Server = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def bucket(server: S3Server) -> str:
    return server.make_bucket()


@pytest.fixture
def store(server: S3Server, bucket: str) -> Iterator[S3DataBackend]:
    with server.open(bucket) as opened:
        yield opened


class TestLayout:
    def test_the_key_of_a_blob_is_its_uid_and_documents_are_below_a_folder(
        self, server: S3Server, bucket: str, store: S3DataBackend
    ) -> None:
        uid = put_new(store)
        store.write_document("versions/a.json", b"{}")
        assert keys(server, bucket) == {uid, "backy2/versions/a.json", "backy2/PROBE"}
        assert listed(store) == {uid: 1000}
        assert list(store.list_documents("")) == ["versions/a.json"]

    def test_stores_with_prefixes_share_a_bucket_and_see_nothing_of_each_other(
        self, server: S3Server, bucket: str, store: S3DataBackend
    ) -> None:
        with server.open(bucket, prefix="host1/") as one, server.open(bucket, prefix="host1/z") as other:
            uids = [put_new(opened) for opened in (store, one, other)]
            for opened in (store, one, other):
                assert opened.create_document("store.json", b"{}")
            assert [set(listed(opened)) for opened in (store, one)] == [{uids[0]}, {uids[1]} | other_blobs(other)]
            assert set(listed(other)) == {uids[2]}
            one.delete(uids)
            assert [read(store, uids[0]), read(other, uids[2])] == [content_of(uid, 1000) for uid in uids[::2]]

    def test_blobs_of_the_original_are_read_and_other_objects_passed_over(
        self, server: S3Server, bucket: str, store: S3DataBackend
    ) -> None:
        for key in (OF_THE_ORIGINAL, "a/b", "notes.txt", "x", "ab cd"):
            server.client().put_object(Bucket=bucket, Key=key, Body=b"content")
        assert listed(store) == {OF_THE_ORIGINAL: 7}
        assert read(store, OF_THE_ORIGINAL) == b"content"
        store.delete([OF_THE_ORIGINAL])
        assert "notes.txt" in keys(server, bucket)

    def test_what_cannot_be_a_uid_or_a_name_never_reaches_the_server(self, store: S3DataBackend) -> None:
        for uid in ("../store", "a/b", "", "backy2/store.json"):
            with pytest.raises(DataBackendError, match="cannot be the uid"):
                store.delete([BlobUid(uid)])
        with pytest.raises(DataBackendError, match="cannot be the name"):
            store.write_document("Capital", b"")

    def test_the_location_has_no_secret(self, server: S3Server, bucket: str) -> None:
        with server.open(bucket, prefix="host1/") as store:
            assert store.location == f"{server.endpoint}/{bucket}/host1/"


class TestChecksums:
    def test_a_blob_that_changed_in_the_store_is_damaged(
        self, server: S3Server, bucket: str, store: S3DataBackend
    ) -> None:
        uid = put_new(store)
        metadata = server.client().head_object(Bucket=bucket, Key=uid)["Metadata"]
        assert metadata == {"crc32": f"{zlib.crc32(content_of(uid, 1000)):08x}"}
        server.client().put_object(Bucket=bucket, Key=uid, Body=b"changed", Metadata=metadata)
        with pytest.raises(BlobDamagedError, match=uid) as caught:
            read(store, uid)
        assert caught.value.retryable, "it may have changed on its way"
        with (
            RetryingDataBackend(server.open(bucket), Patience(first_wait_s=0.01)) as retrying,
            pytest.raises(BlobDamagedError),
        ):
            read(retrying, uid)

    @pytest.mark.parametrize("kind", ["sha256", "md5", "crc32"])
    def test_every_kind_of_upload_checksum_is_taken(self, server: S3Server, bucket: str, kind: str) -> None:
        with server.open(bucket, upload_checksum=kind) as store:
            uid = put_new(store)
            assert read(store, uid) == content_of(uid, 1000)

    def test_the_checksums_are_those_of_the_content(self, scripted: Scripted) -> None:
        uid = new_uid()
        for kind, expected in (
            ("md5", ("Content-MD5", base64.b64encode(hashlib.md5(uid.encode()).digest()).decode())),
            ("crc32", ("x-amz-checksum-crc32", base64.b64encode(zlib.crc32(uid.encode()).to_bytes(4, "big")).decode())),
            ("sha256", ("X-Amz-Content-SHA256", hashlib.sha256(uid.encode()).hexdigest())),
        ):
            headers = sent(scripted, uid, upload_checksum=kind)
            assert headers[expected[0].lower()] == expected[1]


class TestRequests:
    def test_storage_class_and_encryption_are_asked_for(self, scripted: Scripted) -> None:
        headers = sent(
            scripted,
            new_uid(),
            storage_class="STANDARD_IA",
            server_side_encryption="aws:kms",
            kms_key_id="key-1",
        )
        assert headers["x-amz-storage-class"] == "STANDARD_IA"
        assert headers["x-amz-server-side-encryption"] == "aws:kms"
        assert headers["x-amz-server-side-encryption-aws-kms-key-id"] == "key-1"

    @pytest.mark.parametrize(
        ("settings", "expected"),
        [
            ({"endpoint": "http://s3.example.org"}, "http://s3.example.org/shelf/key"),
            ({"endpoint": "http://s3.example.org", "addressing_style": "virtual"}, "http://shelf.s3.example.org/key"),
            ({"endpoint": "", "region": "eu-west-1"}, "https://shelf.s3.amazonaws.com/key"),
            ({"endpoint": "", "host": "10.0.0.1", "port": 10001}, "http://10.0.0.1:10001/shelf/key"),
            ({"endpoint": "", "host": "s3.example.org", "is_secure": True}, "https://s3.example.org/shelf/key"),
        ],
    )
    def test_buckets_are_in_the_path_or_in_the_host_name(self, settings: dict[str, Any], expected: str) -> None:
        with S3Server("http://127.0.0.1:9").open("shelf", **settings) as store:
            client = store._bucket.client
            url = client.generate_presigned_url("get_object", Params={"Bucket": "shelf", "Key": "key"})
        assert url.partition("?")[0] == expected

    def test_listings_go_page_by_page_and_resume_where_they_failed(self, scripted: Scripted) -> None:
        uids = [new_uid() for _ in range(5)]
        busy = Answer.error(503, "SlowDown")
        scripted.answers = [LISTING, page(uids[:2], "two"), busy, page(uids[2:3], "three"), busy, busy, page(uids[3:])]
        with RetryingDataBackend(scripted.server.open("shelf"), Patience(first_wait_s=0.01)) as store:
            assert [row.uid for row in store.list_blobs()] == uids
        asked = [path for _, path, _ in scripted.requests[1:]]
        assert ["two" in path for path in asked] == [False, True, True, False, False, False]
        assert ["three" in path for path in asked] == [False, False, False, True, True, True]

    def test_listings_are_not_asked_for_in_url_encoding_where_that_is_not_known(self, scripted: Scripted) -> None:
        for text, asked in (("no", True), ("", True), ("1", False), ("true", False)):
            with scripted.server.open("shelf", disable_encoding_type=text) as store:
                assert listed(store) == {}
            assert ("encoding-type=url" in scripted.requests[-1][1]) == asked

    def test_thousand_objects_are_deleted_at_a_time(self, scripted: Scripted) -> None:
        scripted.answers = [LISTING, Answer(200, b"<DeleteResult></DeleteResult>")]
        with scripted.server.open("shelf") as store:
            store.delete([new_uid() for _ in range(2001)])
        assert [command for command, _, _ in scripted.requests[1:]] == ["POST"] * 3
        assert all("Content-MD5" in headers for _, _, headers in scripted.requests[1:])

    def test_objects_are_deleted_one_by_one_where_that_is_wished(self, server: S3Server, bucket: str) -> None:
        with server.open(bucket, multi_delete=False) as store:
            uids = [put_new(store) for _ in range(3)]
            store.delete([*uids[:2], new_uid()])
            assert set(listed(store)) == {uids[2]}


class TestConditionalWrites:
    def test_both_servers_are_found_to_have_them(self, store: S3DataBackend, caplog: pytest.LogCaptureFixture) -> None:
        with caplog.at_level(logging.WARNING, "backy2_plugins"):
            put_new(store)
        assert store._conditional._known is True
        assert caplog.records == []

    def test_it_is_asked_once_in_the_life_of_a_store(self, server: S3Server, bucket: str, store: S3DataBackend) -> None:
        put_new(store)
        with server.open(bucket) as second:
            put_new(second)
            assert second._conditional._known is True

    @pytest.mark.parametrize(
        "answer", [Answer(200), Answer.error(501, "NotImplemented"), Answer.error(400, "InvalidArgument")]
    )
    def test_a_server_without_them_is_written_to_all_the_same_and_told_of(
        self, scripted: Scripted, caplog: pytest.LogCaptureFixture, answer: Answer
    ) -> None:
        scripted.answers = [LISTING, answer, Answer(200)]
        with caplog.at_level(logging.WARNING, "backy2_plugins"), scripted.server.open("shelf") as store:
            put_new(store)
            put_new(store)
        assert [record.message for record in caplog.records if "let one host alone" in record.message]
        assert len(caplog.records) == 1
        assert "If-None-Match" not in scripted.requests[-1][2]

    @pytest.mark.parametrize("code", ["InvalidRequest", "InvalidArgument", "NotImplemented"])
    def test_what_is_refused_without_the_condition_too_is_no_answer_about_it(
        self, scripted: Scripted, caplog: pytest.LogCaptureFixture, code: str
    ) -> None:
        scripted.answers = [LISTING, Answer.error(400, code)]
        with scripted.server.open("shelf") as store, pytest.raises(DataBackendError, match=code):
            put_new(store)
        assert ["If-None-Match" in headers for _, _, headers in scripted.requests[1:]] == [True, False]
        assert caplog.records == []

    def test_nothing_is_asked_where_the_setting_says_it(self, scripted: Scripted) -> None:
        for choice, conditional in (("yes", True), ("no", False)):
            assert ("if-none-match" in sent(scripted, new_uid(), conditional_writes=choice)) == conditional

    def test_without_them_a_document_that_is_there_is_not_made_again(self, server: S3Server, bucket: str) -> None:
        with server.open(bucket, conditional_writes="no") as store:
            assert store.create_document("store.json", b"first")
            assert not store.create_document("store.json", b"second")
            assert store.read_document("store.json") == b"first"

    def test_without_them_a_second_put_overwrites(self, server: S3Server, bucket: str) -> None:
        with server.open(bucket, conditional_writes="no") as store:
            uid = put_new(store)
            put(store, uid, b"second")
            assert read(store, uid) == b"second"


class TestVersioning:
    @pytest.fixture
    def bucket(self, server: S3Server) -> str:
        name = server.make_bucket()
        server.client().put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
        return name

    def test_a_deleted_blob_is_hidden_and_its_bytes_stay(
        self, server: S3Server, bucket: str, store: S3DataBackend
    ) -> None:
        uid = put_new(store)
        store.delete([uid])
        assert uid not in listed(store)
        with pytest.raises(BlobNotFoundError):
            read(store, uid)
        assert versions(server, bucket, uid) == 2

    def test_every_version_goes_where_that_is_wished(self, server: S3Server, bucket: str) -> None:
        with server.open(bucket, delete_versions=True) as store:
            uids = [put_new(store) for _ in range(3)]
            server.client().delete_object(Bucket=bucket, Key=uids[0])
            store.delete([*uids, new_uid()])
            assert [versions(server, bucket, uid) for uid in uids] == [0, 0, 0]


class TestObjectLock:
    @pytest.fixture
    def bucket(self, server: S3Server) -> str:
        return server.make_bucket(ObjectLockEnabledForBucket=True)

    @pytest.mark.parametrize("multi_delete", [True, False])
    def test_a_locked_blob_stays_is_named_and_all_others_go(
        self, server: S3Server, bucket: str, multi_delete: bool
    ) -> None:
        with server.open(bucket, delete_versions=True, multi_delete=multi_delete, upload_checksum="md5") as store:
            locked, *others = [put_new(store) for _ in range(4)]
            hold(server, bucket, locked, "ON")
            with pytest.raises(
                BlobsKeptError, match=f"1 blobs in .* cannot be deleted and stay, such as {locked}"
            ) as caught:
                store.delete([others[0], locked, *others[1:]])
            assert caught.value.uids == (locked,)
            assert not caught.value.retryable
            assert listed(store) == {locked: 1000}
            assert read(store, locked) == content_of(locked, 1000)
            hold(server, bucket, locked, "OFF")
            store.delete([locked])
            assert listed(store) == {}

    def test_without_deleting_versions_nothing_is_refused(
        self, server: S3Server, bucket: str, store: S3DataBackend
    ) -> None:
        uid = put_new(store)
        hold(server, bucket, uid, "ON")
        store.delete([uid])
        assert listed(store) == {}
        hold(server, bucket, uid, "OFF", version=True)


def keys(server: S3Server, bucket: str) -> set[str]:
    """All keys of a bucket."""
    return {row["Key"] for row in server.client().list_objects_v2(Bucket=bucket).get("Contents", ())}


def versions(server: S3Server, bucket: str, uid: str) -> int:
    """How many versions and delete markers an object has."""
    found = server.client().list_object_versions(Bucket=bucket, Prefix=uid)
    return len(found.get("Versions", ())) + len(found.get("DeleteMarkers", ()))


def hold(server: S3Server, bucket: str, uid: str, state: str, *, version: bool = False) -> None:
    """Lay a legal hold on an object, or take it away."""
    rows = server.client().list_object_versions(Bucket=bucket, Prefix=uid)["Versions"]
    more = {"VersionId": rows[0]["VersionId"]} if version else {}
    server.client().put_object_legal_hold(Bucket=bucket, Key=uid, LegalHold={"Status": state}, **more)


def other_blobs(other: S3DataBackend) -> set[BlobUid]:
    """Blobs of a store whose prefix begins with another's, as that one sees them."""
    return {BlobUid(f"z{uid}") for uid in listed(other)}


def page(uids: list[BlobUid], following: str = "") -> Answer:
    """A page of a listing."""
    rows = "".join(f"<Contents><Key>{uid}</Key><Size>1</Size></Contents>" for uid in uids)
    more = f"<IsTruncated>true</IsTruncated><NextContinuationToken>{following}</NextContinuationToken>"
    last = "<IsTruncated>false</IsTruncated>"
    return Answer(200, f"<ListBucketResult>{rows}{more if following else last}</ListBucketResult>".encode())


def sent(scripted: Scripted, uid: BlobUid, **settings: Any) -> dict[str, str]:
    """Headers, by names in small letters, with which a blob whose content is its uid is put."""
    scripted.answers = [LISTING, Answer(200)]
    settings = {"conditional_writes": "no", "region": REGION, **settings}
    with scripted.server.open("shelf", **settings) as store:
        put(store, uid, uid.encode())
    return {name.lower(): value for name, value in scripted.requests[-1][2].items()}

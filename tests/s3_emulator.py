"""Amazon S3 on a loopback port: moto's server, whose buckets are looked at from outside."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from moto.core import DEFAULT_ACCOUNT_ID
from moto.s3.models import s3_backends
from moto.server import ThreadedMotoServer

REGION = "us-east-1"
NO_STRANGERS = {
    "Statement": [{"Effect": "Deny", "Principal": "*", "Action": "s3:GetObject", "Resource": "*"}]
}


class S3Emulator:
    """The server at ``url``, and its buckets."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._backend: Any = s3_backends[DEFAULT_ACCOUNT_ID]["aws"]

    def environment(self) -> dict[str, str]:
        """What makes every client ask here."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "publisher",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_DEFAULT_REGION": REGION,
            "NO_PROXY": "127.0.0.1",
        }

    def create_bucket(self, bucket: str) -> None:
        self._backend.create_bucket(bucket, REGION)

    def put(self, bucket: str, name: str, content: bytes) -> None:
        self._backend.put_object(bucket, name, content)

    def delete(self, bucket: str, name: str) -> None:
        self._backend.delete_object(bucket, name)

    def objects(self, bucket: str) -> dict[str, bytes]:
        """All objects of a bucket, by name."""
        return {name: key.value for name, key in self._keys(bucket).items()}

    def set_etag(self, bucket: str, name: str, etag: str) -> None:
        """Give an object the ETag of one that is encrypted with a key of the bucket's."""
        self._keys(bucket)[name]._etag = etag

    def close_to_strangers(self, bucket: str) -> None:
        """Answer nobody who names no key."""
        self._backend.put_bucket_policy(bucket, json.dumps(NO_STRANGERS).encode())

    def _keys(self, bucket: str) -> dict[str, Any]:
        return dict(self._backend.get_bucket(bucket).keys.items())


@contextmanager
def running_s3() -> Iterator[S3Emulator]:
    """Serve, with a bucket that is called so."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        s3_backends.reset()
        emulator = S3Emulator(f"http://{host}:{port}")
        emulator.create_bucket("bucket")
        yield emulator
    finally:
        server.stop()
        s3_backends.reset()

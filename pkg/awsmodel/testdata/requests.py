"""Writes the requests that botocore would send, one JSON object a line: python3 requests.py SERVICE[:OPERATION]...

Parameters are made from the model; nothing is sent.
"""
import base64
import datetime
import json
import sys

import botocore.session
from botocore.awsrequest import AWSResponse
from botocore.config import Config

count = 0


def text():
    global count
    count += 1
    return f"val{count}x"


def make(shape, depth):
    kind = shape.type_name
    if getattr(shape, "is_document_type", False):
        return {"a": "b"}
    if kind == "structure":
        out = {}
        for name, member in shape.members.items():
            if member.serialization.get("eventstream") or getattr(member, "is_eventstream", False):
                continue
            if name not in shape.required_members and depth > 2 or depth > 9:
                continue
            out[name] = make(member, depth + 1)
            if getattr(shape, "is_tagged_union", False):
                break
        return out
    if kind == "list":
        return [] if depth > 9 else [make(shape.member, depth + 1)]
    if kind == "map":
        return {} if depth > 9 else {text(): make(shape.value, depth + 1)}
    if kind in ("integer", "long"):
        return 7
    if kind in ("float", "double"):
        return 1.5
    if kind == "boolean":
        return True
    if kind == "timestamp":
        return datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.timezone.utc)
    if kind == "blob":
        return text().encode()
    if shape.enum:
        return shape.enum[0]
    return text()


def plain(value):
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, list):
        return [plain(v) for v in value]
    if isinstance(value, bytes):
        return {"$bytes": base64.b64encode(value).decode()}
    if isinstance(value, datetime.datetime):
        return {"$time": True}
    return value


class Recorded(Exception):
    pass


def record(request, **_):
    body = request.body
    if hasattr(body, "read"):
        body = body.read()
    if isinstance(body, str):
        body = body.encode()
    headers = {k: v.decode() if isinstance(v, bytes) else v for k, v in request.headers.items()}
    raise Recorded({"method": request.method, "url": request.url, "headers": headers, "body": base64.b64encode(body or b"").decode()})


def special(service, operation, params):
    """What botocore's own checks want."""
    for name in ("AccountId", "accountId", "CatalogId", "registryId"):
        if isinstance(params.get(name), str):
            params[name] = "123456789012"
    if service == "s3":
        params.pop("ContentMD5", None)
        for name in list(params):
            if name.startswith(("SSECustomer", "CopySourceSSECustomer", "Checksum", "ContentLength", "WriteOffset")):
                params.pop(name)
        if "CopySource" in params:
            params["CopySource"] = "src-bucket/a key/b?versionId=v1"
        if "Key" in params:
            params["Key"] = "a b/c+d/é~"
    return params


def main(names):
    session = botocore.session.get_session()
    session.set_credentials("AKIAEXAMPLE", "secret")
    config = Config(region_name="us-east-1", parameter_validation=False, retries={"max_attempts": 0}, s3={"addressing_style": "auto"})
    for name in names or session.get_available_services():
        service, _, only = name.partition(":")
        client = session.create_client(service, config=config)
        client.meta.events.register("before-send", record)
        for operation in client.meta.service_model.operation_names:
            if only and operation != only:
                continue
            model = client.meta.service_model.operation_model(operation)
            for depth in (0, 3):
                params = make(model.input_shape, depth) if model.input_shape else {}
                params = special(service, operation, params)
                given = plain(params)
                try:
                    client._make_api_call(operation, params)
                except Recorded as recorded:
                    print(json.dumps({"service": service, "operation": operation, "params": given, **recorded.args[0]}))
                except Exception as problem:  # noqa: BLE001
                    print(json.dumps({"service": service, "operation": operation, "problem": f"{type(problem).__name__}: {problem}"[:200]}))


main(sys.argv[1:])

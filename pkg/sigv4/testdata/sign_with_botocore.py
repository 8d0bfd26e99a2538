"""Prints, as JSON, requests that botocore signs: those of real clients, and random ones by each of its signers."""

import base64
import datetime
import json
import random
import sys
import urllib.parse

import botocore.auth
import botocore.session
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials

NOW = datetime.datetime(2015, 8, 30, 12, 36, 0)
botocore.auth.get_current_datetime = lambda *args, **kwargs: NOW
KEY, SECRET, TOKEN = "AKIDEXAMPLE", sys.argv[1], "token/+="
out = []


def text(v):
    return v.decode("latin-1") if isinstance(v, bytes) else str(v)


def add(name, request, body):
    headers = [[k, text(v)] for k, v in request.headers.items()]
    out.append({"name": name, "method": request.method, "url": request.url, "headers": headers, "body": base64.b64encode(body).decode()})


session = botocore.session.Session()
session.set_credentials(KEY, SECRET, TOKEN)


class Stop(Exception):
    pass


def client(service, operation, endpoint=None, **params):
    c = session.create_client(service, region_name="eu-west-1", endpoint_url=endpoint, config=Config(s3={"addressing_style": "path"}))

    def capture(request, **kwargs):
        body = request.body
        if body is None:
            body = b""
        elif hasattr(body, "read"):
            body = body.read()
        elif isinstance(body, str):
            body = body.encode()
        add(f"{service}.{operation}", request, bytes(body))
        raise Stop()

    c.meta.events.register("before-send", capture)
    try:
        getattr(c, operation)(**params)
    except Stop:
        pass


client("sts", "get_caller_identity")
client("iam", "create_role", RoleName="r", AssumeRolePolicyDocument="{}", Tags=[{"Key": "a b", "Value": "c+d&e"}])
client("sqs", "send_message", QueueUrl="https://sqs.eu-west-1.amazonaws.com/1/q", MessageBody="a")
client("dynamodb", "list_tables")
client("cloudwatch", "list_metrics")
client("eks", "list_clusters", maxResults=5, nextToken="a+b/c=")
client("eks", "tag_resource", resourceArn="arn:aws:eks:eu-west-1:1:cluster/a", tags={"a": "b"})
client("lambda", "invoke", FunctionName="arn:aws:lambda:eu-west-1:1:function:f", Payload=b"{}")
client("apigateway", "get_rest_apis")
client("s3", "list_objects_v2", Bucket="b", Prefix="a/b c+\u00e9", Delimiter="/")
client("s3", "get_object", Bucket="b", Key="a//b/../c/./d~e f+g(h)'*!$&,;=:@\u00e9", Range="bytes=0-9")
client("s3", "copy_object", Bucket="b", Key="k", CopySource={"Bucket": "b", "Key": "x y"})
client("s3", "put_object", Bucket="b", Key="k", Body=b"x" * 3000000, Metadata={"a_b": "c   d", "e.f": ""})
client("s3", "put_object", Bucket="b", Key="k", Body=b"x" * 3000, endpoint="http://127.0.0.1:9000")
client("s3", "put_object", Bucket="b", Key="empty", Body=b"")
client("s3", "delete_objects", Bucket="b", Delete={"Objects": [{"Key": "k"}]})
client("s3control", "get_bucket", Bucket="arn:aws:s3-outposts:eu-west-1:123456789012:outpost/op-01ac5d28a6a232904/bucket/b")

random.seed(1)
ODD = "abcXYZ019 -._~!$&'()*,;=:@+/%?#\u00e9\"<>[]"


def some(n):
    return "".join(random.choice(ODD) for _ in range(random.randint(1, n)))


SIGNERS = {
    "SigV4Auth": ("eks", lambda c: botocore.auth.SigV4Auth(c, "eks", "eu-west-1")),
    "SigV4QueryAuth": ("sts", lambda c: botocore.auth.SigV4QueryAuth(c, "sts", "eu-west-1", expires=60)),
    "S3SigV4Auth": ("s3", lambda c: botocore.auth.S3SigV4Auth(c, "s3", "eu-west-1")),
    "S3SigV4QueryAuth": ("s3", lambda c: botocore.auth.S3SigV4QueryAuth(c, "s3", "eu-west-1", expires=60)),
}
for i in range(400):
    name = random.choice(list(SIGNERS))
    path = "/" + "/".join(urllib.parse.quote(some(8) + "x", safe="-._~") for _ in range(random.randint(1, 3)))
    pairs = {some(3): some(5) for _ in range(random.randint(0, 4))}
    query = "&".join(f"{urllib.parse.quote(k, safe='-._~')}={urllib.parse.quote(v, safe='-._~')}" for k, v in pairs.items())
    url = f"https://host.eu-west-1.amazonaws.com{path}" + (f"?{query}" if query else "")
    body = some(20).encode() if not name.endswith("QueryAuth") else b""
    request = AWSRequest(method=random.choice(["GET", "PUT", "POST"]), url=url, data=body)
    request.headers["X-Amz-Meta-A"] = "  a   b  "
    if random.random() < 0.5:
        request.headers["Content-Type"] = "application/json"
    SIGNERS[name][1](Credentials(KEY, SECRET, TOKEN if random.random() < 0.5 else None)).add_auth(request)
    add(name, request, body)

json.dump(out, sys.stdout)

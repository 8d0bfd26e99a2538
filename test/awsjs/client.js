// A client made with AWS's SDK for JavaScript: `node client.js control ACCOUNT` and `node client.js store BUCKET`. Where HTTPS_PROXY
// is set it goes through the proxy, by an agent of its own: neither Node.js 20 nor the SDK heeds the variable.
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { Readable } from "node:stream";
import { DynamoDBClient, ListTablesCommand } from "@aws-sdk/client-dynamodb";
import { CopyObjectCommand, DeleteObjectsCommand, GetObjectCommand, ListObjectsV2Command, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { GetCallerIdentityCommand, STSClient } from "@aws-sdk/client-sts";
import { Upload } from "@aws-sdk/lib-storage";
import { getSignedUrl } from "@aws-sdk/s3-request-presigner";
import { NodeHttpHandler } from "@smithy/node-http-handler";
import { HttpsProxyAgent } from "hpagent";

const proxy = process.env.HTTPS_PROXY;
const config = {
  maxAttempts: 1,
  ...(proxy && { requestHandler: new NodeHttpHandler({ httpsAgent: new HttpsProxyAgent({ keepAlive: true, maxSockets: 50, proxy }) }) }),
};

async function control(account) {
  const who = await new STSClient(config).send(new GetCallerIdentityCommand({}));
  assert.equal(who.Account, account);
  const { TableNames } = await new DynamoDBClient(config).send(new ListTablesCommand({}));
  assert.deepEqual(TableNames, []);
}

const sha256 = (data) => createHash("sha256").update(data).digest("hex");

async function store(Bucket) {
  const s3 = new S3Client(config);
  const get = async (Key, Range) => Buffer.from(await (await s3.send(new GetObjectCommand({ Bucket, Key, Range }))).Body.transformToByteArray());
  for (const Key of ["a b", "a+b", "a%2Fb", "x=1&y=2", "(a)'b'!*", "ö/日本"]) {
    await s3.send(new PutObjectCommand({ Bucket, Key, Body: "content of " + Key, Metadata: { who: "ada" } }));
    assert.equal((await get(Key)).toString(), "content of " + Key);
    const { Contents } = await s3.send(new ListObjectsV2Command({ Bucket, Prefix: Key }));
    assert.deepEqual(Contents.map((o) => o.Key), [Key]);
  }
  await s3.send(new CopyObjectCommand({ Bucket, Key: "copy", CopySource: Bucket + "/" + encodeURIComponent("a b") }));
  assert.equal((await get("copy")).toString(), "content of a b");
  const whole = randomBytes(20 << 20);
  await new Upload({ client: s3, params: { Bucket, Key: "parts", Body: Readable.from(chunks(whole)) }, partSize: 5 << 20 }).done();
  assert.equal(sha256(await get("parts")), sha256(whole));
  await s3.send(new PutObjectCommand({ Bucket, Key: "once", Body: whole }));
  assert.equal(sha256(await get("once")), sha256(whole));
  assert.deepEqual(await get("once", "bytes=100-199"), whole.subarray(100, 200));
  const { Deleted } = await s3.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects: [{ Key: "a b" }, { Key: "copy" }] } }));
  assert.equal(Deleted.length, 2);
  if (!proxy) await presigned(new S3Client({ ...config, requestChecksumCalculation: "WHEN_REQUIRED" }), Bucket); // fetch heeds no proxy
}

function* chunks(data) {
  for (let i = 0; i < data.length; i += 100_000) yield data.subarray(i, i + 100_000);
}

// The client signs no checksum into the URL, which by default is that of an empty body.
async function presigned(s3, Bucket) {
  const put = await fetch(await getSignedUrl(s3, new PutObjectCommand({ Bucket, Key: "by url" })), { method: "PUT", body: "by url" });
  assert.equal(put.status, 200, await put.text());
  const got = await fetch(await getSignedUrl(s3, new GetObjectCommand({ Bucket, Key: "by url" })));
  assert.equal(await got.text(), "by url");
}

const [what, name] = process.argv.slice(2);
await { control, store }[what](name);

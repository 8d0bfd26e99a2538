// Package sigv4 verifies AWS request signatures (Signature Version 4 and 4A, in headers and in presigned URLs), and signs
// requests and their bodies anew for the upstream. It opens no connection and no file, and keeps nothing between calls
// but what its caller owns. What can be read in two ways is refused rather than verified.
//
// Source: the AWS IAM User Guide, "Create a signed AWS API request", and the Amazon S3 API Reference, "Authenticating
// Requests (AWS Signature Version 4)".
package sigv4

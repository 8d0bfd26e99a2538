# Build from the root of the repository:
#   docker build -f deployments/docker/edge.Dockerfile --build-arg VERSION=$(git describe --tags --always) -t writ-edge .
FROM golang:1.26 AS build
ARG VERSION=dev
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X github.com/writhq/writ/pkg/version.value=${VERSION}" -o /out/writ-edge ./edgeagent/cmd/writ-edge \
 && install -d -m 0700 -o 65532 -g 65532 /out/var/lib/writ-edge

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /usr/share/zoneinfo /usr/share/zoneinfo
COPY --from=build --chown=65532:65532 /out/var/lib/writ-edge /var/lib/writ-edge
COPY --from=build /out/writ-edge /writ-edge
USER 65532:65532
VOLUME /var/lib/writ-edge
EXPOSE 6432 6444
ENTRYPOINT ["/writ-edge"]

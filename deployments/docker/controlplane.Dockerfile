# Build from the root of the repository:
#   docker build -f deployments/docker/controlplane.Dockerfile --build-arg VERSION=$(git describe --tags --always) -t writ-controlplane .
FROM node:24 AS console
WORKDIR /src/controlplane/console
COPY controlplane/console/package.json controlplane/console/package-lock.json controlplane/console/.npmrc ./
RUN npm ci
COPY proto /src/proto
COPY controlplane/console ./
RUN npm run build

FROM golang:1.26 AS build
ARG VERSION=dev
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
COPY --from=console /src/controlplane/console/dist controlplane/console/dist
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X github.com/writhq/writ/pkg/version.value=${VERSION}" -o /out/writ-controlplane ./controlplane/cmd/writ-controlplane \
 && install -d -m 0700 -o 65532 -g 65532 /out/var/lib/writ

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /usr/share/zoneinfo /usr/share/zoneinfo
COPY --from=build --chown=65532:65532 /out/var/lib/writ /var/lib/writ
COPY --from=build /out/writ-controlplane /writ-controlplane
USER 65532:65532
VOLUME /var/lib/writ
EXPOSE 8443 8444
ENTRYPOINT ["/writ-controlplane"]

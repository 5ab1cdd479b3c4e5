# countersign as an image. Two stages may be the last:
#   docker build .                  the action: nothing but one static program, roots of trust inside it, no shell
#   docker build --target shell .   the same program beside sh and grep, which GitLab and CodeBuild need to start a job

FROM rust:1.95-alpine AS build
RUN apk add --no-cache gcc make musl-dev
WORKDIR /src
COPY . .
# Alpine's own target is musl, so the program is static; the binary is stripped by the release profile.
RUN cargo build --release --locked --bin countersign && cp target/release/countersign /countersign

FROM alpine:3.22 AS shell
LABEL org.opencontainers.image.source="https://github.com/countersign/countersign" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /countersign /usr/local/bin/countersign

# No USER and no WORKDIR: the files in which GitHub takes outputs and summaries belong to others, so root it is
# (GitHub, "Dockerfile support for GitHub Actions").
FROM scratch AS action
LABEL org.opencontainers.image.source="https://github.com/countersign/countersign" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /countersign /countersign
ENTRYPOINT ["/countersign"]
CMD ["action"]

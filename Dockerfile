# The two commands (make reproduce, make test), CP2K and SevenNet, for a workstation or the nodes of a cluster.
#
#   docker build -t electrolyte-ml .
#   docker run --rm -v "$PWD/results:/opt/electrolyte-ml/results" electrolyte-ml make reproduce
#   apptainer build electrolyte-ml.sif docker-daemon://electrolyte-ml:latest     # for a cluster without Docker
#
# CP2K is that of Debian; the Python packages are those of requirements.lock. SevenNet brings torch (6 GB with CUDA):
# leave it out by --build-arg EXTRAS=cluster.
FROM debian:bookworm-slim

ARG EXTRAS=sevennet,cluster

# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates cp2k g++ git make python3 python3-dev python3-venv \
    && rm -rf /var/lib/apt/lists/*

WORKDIR /opt/electrolyte-ml
# Locked packages first: a change of the code does not install them again.
COPY Makefile pyproject.toml requirements.lock README.md LICENSE ./
COPY electrolyte_ml electrolyte_ml
COPY data data
RUN make .venv/installed PYTHON=python3 \
    && .venv/bin/python -m pip install --no-cache-dir --constraint requirements.lock --editable ".[${EXTRAS}]"
COPY . .
RUN touch .venv/installed && .venv/bin/python -m electrolyte_ml warmup

ENV PATH="/opt/electrolyte-ml/.venv/bin:${PATH}" OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
CMD ["electrolyte-ml", "--help"]

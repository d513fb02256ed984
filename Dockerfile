# All commands and the studio in a container: docs/container.md.
ARG PYTHON=3.13

FROM python:${PYTHON}-slim-bookworm AS build
# A further index of wheels, such as PyTorch's for CPUs, which are smaller; empty: pip's, with CUDA.
ARG INDEX
ARG EXTRAS=crop,hub,studio,video
WORKDIR /source
COPY pyproject.toml README.md LICENSE ./
COPY conf conf
COPY anime_dcgan anime_dcgan
RUN python -m venv /opt/anime \
    && /opt/anime/bin/pip install --no-cache-dir ${INDEX:+--extra-index-url "${INDEX}"} ".[${EXTRAS}]"

FROM python:${PYTHON}-slim-bookworm
COPY --from=build /opt/anime /opt/anime
# Any user may write to these two folders and to no other one.
RUN install -d -m 1777 /srv/outputs /cache
# The user has no entry in /etc/passwd: libraries take its name and its home from here.
ENV PATH=/opt/anime/bin:${PATH} \
    HOME=/cache \
    USER=anime \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
WORKDIR /srv
VOLUME ["/srv/outputs", "/cache"]
USER 1000:1000
EXPOSE 8765
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s CMD \
    ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8765/theme.css', timeout=4)"]
CMD ["anime-studio", "host=0.0.0.0", "port=8765", "public=http://localhost:8765", "browser=false"]

# Shopbell with its front end built in. The tests read this file and don't build it: docs/operations.md says why.
#   docker build -t shopbell:0.1.0 .

FROM node:20-slim AS front
WORKDIR /src
COPY package.json package-lock.json .npmrc ./
RUN npm ci
COPY build.mjs tsconfig.json ./
COPY widget ./widget
COPY console ./console
RUN npm run build

FROM python:3.11-slim AS build
WORKDIR /src
RUN python -m venv /venv
COPY requirements.lock ./
RUN /venv/bin/pip install --no-cache-dir --require-hashes --requirement requirements.lock
COPY pyproject.toml hatch_build.py README.md LICENSE ./
COPY chat ./chat
COPY presence ./presence
COPY gateway ./gateway
COPY bots ./bots
COPY --from=front /src/gateway/static ./gateway/static
RUN /venv/bin/pip install --no-cache-dir --no-deps .

FROM python:3.11-slim
RUN useradd --system --uid 10001 --create-home --home-dir /data shopbell && chmod 700 /data
COPY --from=build /venv /venv
# The heap settings are the Procfile's.
ENV PATH=/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    MALLOC_TRIM_THRESHOLD_=134217728 \
    MALLOC_TOP_PAD_=16777216 \
    SHOPBELL_DATA=/data \
    SHOPBELL_HOST=0.0.0.0 \
    SHOPBELL_PORT=8000
USER shopbell
VOLUME /data
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen('http://127.0.0.1:' + os.environ['SHOPBELL_PORT'] + '/healthz', timeout=4)"]
ENTRYPOINT ["shopbell"]
CMD ["serve"]

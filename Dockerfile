FROM node:26.12.1-trixie-slim AS build
WORKDIR /build
COPY package.json package-lock.json ./
# What `prepare` would build is not here yet.
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY tsconfig.json ./
COPY scripts scripts
COPY src src
RUN npm run build

FROM node:26.12.1-trixie-slim
ENV NODE_ENV=production
WORKDIR /opt/cutover
# The packages it uses are in it.
COPY --from=build /build/dist dist
COPY package.json ./
COPY bin bin
COPY config/cutover.yaml config/cutover.yaml
# `docker exec NAME cutover rollback checkout`: what the runbooks type is there.
RUN ln -s /opt/cutover/bin/cutover.js /usr/local/bin/cutover
# All that it writes goes here; the rest may be mounted read-only.
RUN mkdir /var/lib/cutover && chown node:node /var/lib/cutover
VOLUME /var/lib/cutover
USER node
EXPOSE 8080 9900
HEALTHCHECK --interval=5s --timeout=3s --start-period=10s --retries=3 \
  CMD ["node", "-e", "fetch((process.env.CUTOVER_ADMIN_URL ?? 'http://127.0.0.1:9900') + '/health/ready').then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
CMD ["node", "bin/cutover.js", "serve", "--config", "/etc/cutover/cutover.yaml"]

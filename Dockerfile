# syntax=docker/dockerfile:1
FROM node:24-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci
COPY . .
# The image has its Node.js, and its database stands elsewhere: the optional packages go with the development ones.
RUN npm run build && npm prune --omit=dev --omit=optional

FROM node:24-bookworm-slim
ENV NODE_ENV=production \
    POSTERN_HOST=0.0.0.0 \
    POSTERN_MANAGEMENT_HOST=0.0.0.0 \
    POSTERN_DATA_DIR=/data
# Why these, and the flags below: scripts/server-process.mjs.
ENV GLIBC_TUNABLES=glibc.malloc.mmap_threshold=1048576:glibc.malloc.trim_threshold=4194304:glibc.malloc.hugetlb=1
WORKDIR /app
COPY --from=build /app/node_modules node_modules
COPY --from=build /app/dist dist
COPY --from=build /app/views views
COPY --from=build /app/locales locales
COPY --from=build /app/prisma prisma
COPY --from=build /app/package.json /app/LICENSE ./
# The only folder that is written to: the master key, where none is given, and mails, where there is no mail server.
RUN install --directory --owner=node --group=node --mode=0700 /data
USER node
VOLUME /data
EXPOSE 3000 9000
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
    CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT || 3000}/readyz`).then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "--max-semi-space-size=8", "--heap-growing-percent=100", "dist/main.js"]
CMD ["serve"]

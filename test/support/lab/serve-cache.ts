// `node serve-cache.ts DIRECTORY PORT`: a host's cache, as a service. Ends when there is nothing to serve.
import { stat } from "node:fs/promises";
import { serveNarCache } from "../nar-cache.ts";

const [directory = "", port = ""] = process.argv.slice(2);
await stat(directory);
await serveNarCache(directory, { host: "0.0.0.0", port: Number(port) });

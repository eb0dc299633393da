// `node serve-store.ts KEY-FILE PORT`: serves this machine's own Nix store as a cache, as a service of a lab's host.
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";
import { serveStore } from "../store-cache.ts";

const run = promisify(execFile);
const [keyFile = "", port = ""] = process.argv.slice(2);
const environment = { PATH: process.env["PATH"] ?? "/usr/bin:/bin", HOME: "/root" };

await serveStore(
  {
    storeDirectory: "/nix/store",
    environment,
    run: async (file, ...args) =>
      (await run(file, args, { env: environment, maxBuffer: 64 * 1024 * 1024 })).stdout,
  },
  { secretKey: await readFile(keyFile, "utf8"), host: "0.0.0.0", port: Number(port) },
);

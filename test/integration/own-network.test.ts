// Our own HTTP goes the way that Nix goes: through the proxy and with the authorities of the environment.
import { execFile } from "node:child_process";
import { copyFile, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { systemClock } from "../../src/base/clock.ts";
import { CacheSettings } from "../../src/config/cache-schema.ts";
import { openCacheClient } from "../../src/wiring/compose-cache.ts";
import * as v from "valibot";
import { startHttpProxy } from "../support/http-proxy.ts";
import { serveNarCache } from "../support/nar-cache.ts";
import { startTlsFront } from "../support/tls-front.ts";

const run = promisify(execFile);
const never = new AbortController().signal;
let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "homelab-network-"));
});
afterAll(async () => rm(directory, { recursive: true, force: true }));

const serve = async (authorization?: string) =>
  serveNarCache(
    async (path) => (path === "/nix-cache-info" ? Buffer.from("StoreDir: /nix/store\n") : undefined),
    {
      authorization,
    },
  );

/** The status that `fetch` gets in a process with this environment alone, or why it gets none. */
async function fetched(url: string, environment: Readonly<Record<string, string>>): Promise<string> {
  const module = resolve(import.meta.dirname, "../../src/wiring/own-network.ts");
  const script = `
    import { useNetworkOf } from ${JSON.stringify(module)};
    useNetworkOf(process.env);
    const response = await fetch(process.argv[1]).catch((error) => ({ status: error.cause?.code ?? "failed" }));
    console.log(response.status);
  `;
  const { stdout } = await run(process.execPath, ["--input-type=module", "-e", script, url], {
    env: { PATH: process.env["PATH"], ...environment },
  });
  return stdout.trim();
}

async function status(url: string, environment: Readonly<Record<string, string>>, settings: object = {}) {
  using client = await openCacheClient(
    v.parse(CacheSettings, { url, attempts: 1, ...settings }),
    url,
    {
      clock: systemClock,
      environment: { PATH: process.env["PATH"], NIX_CONF_DIR: directory, ...environment },
    },
    never,
  );
  return (await client.get("nix-cache-info", { maxBytes: 1024 }, never)).status;
}

test.each(["http_proxy", "HTTP_PROXY", "ALL_PROXY"])("%s names the proxy", async (variable) => {
  await using cache = await serve();
  await using proxy = await startHttpProxy({ "cache.lab": cache.url });
  const environment = { [variable]: proxy.url };
  expect(await fetched("http://cache.lab/nix-cache-info", environment)).toBe("200");
  expect(await status("http://cache.lab", environment)).toBe(200);
  expect(proxy.requests).toHaveLength(2);
  // Our own machine, and what NO_PROXY names, is asked directly.
  expect(await fetched(`${cache.url}/nix-cache-info`, environment)).toBe("200");
  expect(await status(cache.url, environment)).toBe(200);
  expect(await fetched("http://cache.lab/", { ...environment, no_proxy: "lab" })).not.toBe("200");
  expect(proxy.requests).toHaveLength(2);
});

test("a cache with TLS is asked through the proxy, and no proxy for http:// is used for it", async () => {
  await using cache = await serve();
  await using front = await startTlsFront(cache.url, directory);
  await using proxy = await startHttpProxy({ "cache.lab": front.url });
  const { caFile } = front;
  expect(await status("https://cache.lab", { https_proxy: proxy.url }, { caFile })).toBe(200);
  expect(proxy.requests).toEqual(["CONNECT cache.lab:443"]);
  await expect(status("https://cache.lab", { https_proxy: proxy.url })).rejects.toMatchObject({
    code: "TLS_UNTRUSTED",
  });
  await expect(status("https://cache.lab", { http_proxy: proxy.url }, { caFile })).rejects.toMatchObject({
    code: "CACHE_UNREACHABLE",
  });
  expect(proxy.requests).toHaveLength(2);
});

test("authorities of the environment and of nix.conf are trusted", async () => {
  await using cache = await serve();
  await using front = await startTlsFront(cache.url, directory);
  const url = `${front.url}/nix-cache-info`;
  expect(await fetched(url, {})).toMatch(/SELF_SIGNED|UNABLE_TO/);
  for (const variable of ["NIX_SSL_CERT_FILE", "SSL_CERT_FILE"]) {
    expect(await fetched(url, { [variable]: front.caFile })).toBe("200");
  }
  expect(await fetched(url, { SSL_CERT_FILE: "/not/there" })).toMatch(/SELF_SIGNED|UNABLE_TO/);
  await expect(status(front.url, {})).rejects.toMatchObject({
    code: "TLS_UNTRUSTED",
    hint: expect.stringContaining("update-ca-certificates"),
  });
  expect(await status(front.url, {}, { caFile: front.caFile })).toBe(200);
});

test("a password comes from cache.netrcFile, and without it from the netrc-file of Nix", async () => {
  await using cache = await serve(`Basic ${Buffer.from("u:p").toString("base64")}`);
  expect(await status(cache.url, {})).toBe(401);
  const file = join(directory, "some-netrc");
  await writeFile(file, "machine 127.0.0.1 login u password p\n", { mode: 0o600 });
  expect(await status(cache.url, {}, { netrcFile: file })).toBe(200);
  expect(
    await status(
      cache.url,
      { CREDENTIALS_DIRECTORY: directory },
      { netrcFile: "$CREDENTIALS_DIRECTORY/some-netrc" },
    ),
  ).toBe(200);
  await expect(status(cache.url, {}, { netrcFile: "/not/there" })).rejects.toMatchObject({
    code: "BAD_SECRET",
  });
  await writeFile(join(directory, "nix.conf"), `netrc-file = ${file}\n`);
  expect(await status(cache.url, {})).toBe(200);
});

test("what the system trusts is trusted, and a certificate that nobody does has a code of its own", async () => {
  await using cache = await serve();
  await using front = await startTlsFront(cache.url, directory);
  const system = join(directory, "system");
  await mkdir(system, { recursive: true });
  await copyFile(front.caFile, join(system, "lab.pem"));
  await run("openssl", ["rehash", system]);
  const config = join(directory, "config.json");
  const key = `lab-1:${Buffer.alloc(32, 1).toString("base64")}`;
  await writeFile(config, JSON.stringify({ cache: { url: front.url, publicKeys: [key] } }));
  const program = resolve(import.meta.dirname, "../../bin/homelab-deploy");
  const ask = async (environment: Readonly<Record<string, string>>) =>
    run(program, ["cache", "status", "--json", "--config", config], {
      env: { PATH: process.env["PATH"], HOME: directory, ...environment },
    }).then(
      ({ stdout }) => stdout,
      ({ stdout }: { stdout: string }) => stdout,
    );
  expect(await ask({ SSL_CERT_DIR: system })).toContain("/nix/store");
  expect(await ask({})).toContain("is not trusted");
});

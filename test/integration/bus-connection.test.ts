import { execFile } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { expect, onTestFinished } from "vitest";
import { silentLog } from "../../src/base/log.ts";
import { nameAuthorities } from "../../src/base/node-tls.ts";
import { connectNats } from "../../src/bus/connect/connection.ts";
import { writeNewKey } from "../../src/bus/server/keys.ts";
import { serverConfig } from "../../src/bus/server/server-config.ts";
import { createFakeClock } from "../support/fake-clock.ts";
import { freeListenerPort } from "../support/free-port.ts";
import {
  connectTo,
  serverVersion as versionOfServer,
  startNatsServer,
  type NatsServer,
} from "../support/nats-server.ts";
import { test } from "../support/nats-roles.ts";

async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "homelab-connection-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

/** A certificate that signs itself, so it is its own authority. */
async function certificate(
  directory: string,
  name: string,
  subject = "IP:127.0.0.1",
): Promise<{ certFile: string; keyFile: string }> {
  const [certFile, keyFile] = [join(directory, `${name}.pem`), join(directory, `${name}.key`)];
  const words = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2";
  const names = ["-subj", `/CN=${name}`, "-addext", `subjectAltName=${subject}`];
  await promisify(execFile)("openssl", [...words.split(" "), ...names, "-keyout", keyFile, "-out", certFile]);
  return { certFile, keyFile };
}

test("a client that was told of one node of a cluster goes to the others by the names in their certificates", async () => {
  const directory = await temporaryDirectory();
  const caFile = join(directory, "ca.pem");
  const nodes = [
    { node: "n1", host: "127.0.0.1", tls: await certificate(directory, "n1", "IP:127.0.0.1") },
    { node: "n2", host: "localhost", tls: await certificate(directory, "n2", "DNS:localhost") },
  ];
  const certificates = await Promise.all(nodes.map(async ({ tls }) => readFile(tls.certFile, "utf8")));
  await writeFile(caFile, certificates.join(""));
  const nkeyFile = join(directory, "admin.nk");
  const publicKey = await writeNewKey(nkeyFile);
  const serverVersion = await versionOfServer();
  const ports = await Promise.all(nodes.map(async () => freeListenerPort()));
  const routes = nodes.map(({ host }, index) => `${host}:${ports[index]}`);
  const start = nodes.map(async ({ node, host, tls }, index) =>
    startNatsServer(({ port, storeDirectory }) =>
      serverConfig({
        listen: `127.0.0.1:${port}`,
        storeDirectory,
        serverVersion,
        users: [{ role: "admin", publicKey }],
        tls: { ...tls, caFile },
        cluster: {
          cluster: "homelab",
          node,
          listen: `127.0.0.1:${ports[index]}`,
          routes,
          advertise: host,
        },
      }),
    ),
  );
  await using disposables = new AsyncDisposableStack();
  const [first, second] = await Promise.all(start.map(async (server) => disposables.use(await server)));
  if (first === undefined || second === undefined) throw new Error("there are two nodes");

  const servers = [`tls://127.0.0.1:${first.port}`];
  await using connection = await connectTo(first, { servers, nkeyFile, tls: { caFile } });
  await expect
    .poll(() => connection.nats.info?.connect_urls, { timeout: 30_000 })
    .toEqual(expect.arrayContaining([`127.0.0.1:${first.port}`, `localhost:${second.port}`]));
  await first.kill();
  await expect.poll(() => connection.nats.getServer(), { timeout: 30_000 }).toBe(`localhost:${second.port}`);
});

test("a server that finds no leader is left for another one, and not again at once", async () => {
  const [one, other] = await Promise.all([startNatsServer(), startNatsServer()]);
  await using disposables = new AsyncDisposableStack();
  for (const server of [one, other]) disposables.use(server);
  const clock = createFakeClock();
  const options = { servers: [one.url, other.url], name: "test", role: "daemon" } as const;
  await using connection = await connectNats(options, silentLog, new AbortController().signal, clock);
  const place = (): string => connection.nats.getServer();
  for (let round = 0; round < 3; round++) {
    const before = place();
    connection.leaveServer();
    expect(place()).toBe(before);
    await clock.advance(10_000);
    const { promise: arrived, resolve } = Promise.withResolvers<void>();
    const stop = connection.onChange((connected) => {
      if (connected) resolve();
    });
    connection.leaveServer();
    await arrived;
    stop();
    expect(place()).not.toBe(before);
  }
});

test("TLS: connects with the right authority, and refuses an unknown one", async () => {
  const directory = await temporaryDirectory();
  const { certFile, keyFile } = await certificate(directory, "server");
  const stranger = await certificate(directory, "stranger");
  await using server = await startNatsServer(
    ({ port }) => `listen: "127.0.0.1:${port}"\ntls { cert_file: "${certFile}", key_file: "${keyFile}" }`,
  );
  const servers = [`tls://127.0.0.1:${server.port}`];

  await using connection = await connectTo(server, { servers, tls: { caFile: certFile } });
  expect(connection.nats.info?.tls_required).toBe(true);
  await using plainUrl = await connectTo(server, { tls: { caFile: certFile } });
  expect(plainUrl.isConnected()).toBe(true);
  for (const tls of [undefined, {}, { caFile: stranger.certFile }]) {
    await expect(connectTo(server, { servers, tls })).rejects.toMatchObject({
      kind: "refused",
      code: "NATS_TLS",
    });
  }
  await expect(connectTo(server, { servers, tls: { caFile: "/nowhere/ca.pem" } })).rejects.toMatchObject({
    kind: "config",
    code: "NATS_TLS_FILE",
  });
});

test.for(["DNS:localhost", "IP:127.0.0.2"])(
  "TLS: a certificate for %s does not do for the address 127.0.0.1",
  async (subject) => {
    const { certFile, keyFile } = await certificate(await temporaryDirectory(), "server", subject);
    await using server = await startNatsServer(
      ({ port }) => `listen: "127.0.0.1:${port}"\ntls { cert_file: "${certFile}", key_file: "${keyFile}" }`,
    );
    const servers = [`tls://127.0.0.1:${server.port}`];
    await expect(connectTo(server, { servers, tls: { caFile: certFile } })).rejects.toMatchObject({
      code: "NATS_TLS",
    });
  },
);

test("TLS: where a server asks for it, its certificate is judged for the address that we were given", async () => {
  const directory = await temporaryDirectory();
  const start = async (name: string, subject: string): Promise<NatsServer & { certFile: string }> => {
    const { certFile, keyFile } = await certificate(directory, name, subject);
    const server = await startNatsServer(
      ({ port }) => `listen: "127.0.0.1:${port}"\ntls { cert_file: "${certFile}", key_file: "${keyFile}" }`,
    );
    return { ...server, certFile };
  };
  await using named = await start("named", "IP:127.0.0.1");
  await using other = await start("other", "DNS:localhost");
  await expect(connectTo(named)).rejects.toMatchObject({ hint: expect.stringContaining("caFile") });
  // From here on we trust both.
  const both = join(directory, "both.pem");
  await writeFile(both, [await readFile(named.certFile), await readFile(other.certFile)].join("\n"));
  nameAuthorities({ NIX_SSL_CERT_FILE: both });
  await using connection = await connectTo(named);
  expect(connection.isConnected()).toBe(true);
  await expect(connectTo(other)).rejects.toMatchObject({
    code: "NATS_TLS",
    hint: expect.stringContaining("a name that the certificate was made for"),
  });
});

test("TLS: a server that wants our certificate says at once why it does not take it", async () => {
  const directory = await temporaryDirectory();
  const server = await certificate(directory, "server");
  const [known, stranger] = [await certificate(directory, "known"), await certificate(directory, "stranger")];
  await using nats = await startNatsServer(
    ({ port }) =>
      `listen: "127.0.0.1:${port}"\ntls { cert_file: "${server.certFile}", key_file: "${server.keyFile}", ca_file: "${known.certFile}", verify: true }`,
  );
  const caFile = server.certFile;
  await using connection = await connectTo(nats, { tls: { caFile, ...known } });
  expect(connection.isConnected()).toBe(true);
  for (const tls of [{ caFile }, { caFile, ...stranger }]) {
    await expect(connectTo(nats, { tls })).rejects.toMatchObject({
      kind: "refused",
      code: "NATS_TLS",
      message: expect.stringContaining("does not accept our certificate"),
    });
  }
  for (const tls of [
    { ...known, keyFile: stranger.keyFile },
    { ...known, certFile: known.keyFile },
  ]) {
    await expect(connectTo(nats, { tls: { caFile, ...tls } })).rejects.toMatchObject({
      kind: "config",
      code: "NATS_TLS_FILE",
    });
  }
});

test("TLS: a daemon says why it does not connect again", async () => {
  const directory = await temporaryDirectory();
  const [good, other] = [await certificate(directory, "good"), await certificate(directory, "other")];
  const withTls = (port: number, { certFile, keyFile }: typeof good, more = ""): string =>
    `listen: "127.0.0.1:${port}"\ntls { cert_file: "${certFile}", key_file: "${keyFile}" ${more} }`;
  await using server = await startNatsServer(({ port }) => withTls(port, good));
  const said: string[] = [];
  const say = (_: unknown, message: string): void => void said.push(message);
  const log = { ...silentLog, info: say, warn: say, error: say };
  const servers = [server.url];
  const options = { servers, tls: { caFile: good.certFile }, name: "test", role: "daemon" } as const;
  await using connection = await connectNats(options, log, new AbortController().signal);
  const become = async (configuration: string): Promise<void> => {
    await server.kill();
    await server.configure(configuration);
    await server.start();
  };
  const lost = "connection to NATS lost";
  const again = "connected to NATS again";
  const failures = [
    [withTls(server.port, other), "certificate of NATS"],
    [withTls(server.port, good, `, ca_file: "${other.certFile}", verify: true`), "accept our certificate"],
  ] as const;
  for (const [configuration, reason] of failures) {
    said.length = 0;
    await become(configuration);
    await expect.poll(() => said, { timeout: 30_000 }).toEqual([lost, expect.stringContaining(reason)]);
    // Long enough for another attempt.
    await sleep(2500);
    await become(withTls(server.port, good));
    await expect.poll(() => connection.isConnected(), { timeout: 30_000 }).toBe(true);
    expect(said).toEqual([lost, expect.stringContaining(reason), again]);
  }
}, 120_000);

test("a server that waits for TLS to begin is told apart from one that is not there", async () => {
  const server = createServer((socket) => void socket.destroy()).listen(0, "127.0.0.1");
  onTestFinished(() => void server.close());
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  await expect(connectTo({ url: `tls://127.0.0.1:${port}` })).rejects.toMatchObject({
    code: "NATS_UNREACHABLE",
    hint: expect.stringContaining("handshake_first"),
  });
});

test("TLS: never connects in the clear where tls:// or a TLS setting demands it", async ({ roles }) => {
  const servers = [`tls://127.0.0.1:${roles.port}`];
  await expect(connectTo(roles, { servers })).rejects.toMatchObject({ kind: "refused", code: "NATS_TLS" });
  await expect(connectTo(roles, { tls: {} })).rejects.toMatchObject({ kind: "refused", code: "NATS_TLS" });
  await expect(connectTo(roles, { servers: [roles.url, ...servers] })).rejects.toMatchObject({
    code: "NATS_TLS",
  });
});

test("a key that the server does not know is refused, and so is no key", async ({ roles }) => {
  const nkeyFile = join(await temporaryDirectory(), "unknown.nk");
  await writeNewKey(nkeyFile);
  await expect(connectTo(roles, { nkeyFile })).rejects.toMatchObject({ kind: "refused", code: "NATS_AUTH" });
  await expect(connectTo(roles)).rejects.toMatchObject({ kind: "refused", code: "NATS_AUTH" });
});

test("a key file that is missing or holds something else is an error of the configuration", async ({
  roles,
}) => {
  const directory = await temporaryDirectory();
  const nkeyFile = join(directory, "broken.nk");
  await writeFile(nkeyFile, "not a seed");
  for (const signIn of [{ nkeyFile }, { nkeyFile: join(directory, "none") }, { credentialsFile: nkeyFile }]) {
    await expect(connectTo(roles, { ...signIn, role: "daemon" })).rejects.toMatchObject({
      kind: "config",
      code: "NATS_KEY_FILE",
    });
  }
});

test("a user and password, or a token, sign in as contexts of the nats command have them", async () => {
  await using withPassword = await startNatsServer(
    ({ port }) => `listen: "127.0.0.1:${port}"\nauthorization { user: u, password: p }`,
  );
  await using first = await connectTo(withPassword, { password: { user: "u", password: "p" } });
  expect(first.isConnected()).toBe(true);
  await using withToken = await startNatsServer(
    ({ port }) => `listen: "127.0.0.1:${port}"\nauthorization { token: t }`,
  );
  await using second = await connectTo(withToken, { token: "t" });
  expect(second.isConnected()).toBe(true);
});

import { chmod, readFile, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, onTestFinished } from "vitest";
import type { BranchNews } from "../../src/protocol/branch-news.ts";
import { test } from "../support/homelab.ts";

interface Told {
  readonly path: string;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: string;
}

/** Takes every POST, and answers with this status. */
async function startReceiver() {
  const told: Told[] = [];
  let status = 200;
  const server: Server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const { url = "", headers } = request;
      if (status === 200) told.push({ path: url, headers, body: Buffer.concat(chunks).toString() });
      response.writeHead(status).end();
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    answer: (code: number) => (status = code),
    at: (path: string) => told.filter((each) => each.path === path),
  };
}

test("a branch that starts to fail, and is mended, is told once by webhook, ntfy and script", async ({
  homelab,
}) => {
  const receiver = await startReceiver();
  const file = async (name: string, content: string): Promise<string> => {
    const path = join(homelab.directory, name);
    await writeFile(path, content, { mode: 0o600 });
    return path;
  };
  const heard = join(homelab.directory, "heard");
  const script = await file(
    "script",
    `#!/bin/sh\nprintf '%s %s\\n' "$1" "$HOMELAB_DEPLOY_EVENT" >> ${heard}\n`,
  );
  await chmod(script, 0o700);
  const notify = {
    webhookFile: await file("webhook", `${receiver.url}/hook`),
    ntfyFile: await file("ntfy", `${receiver.url}/builds`),
    ntfyTokenFile: await file("token", "tk_secret"),
    script: [script, "fleet's news"],
  };
  const start = async () => homelab.startBuilder("builder1", {}, { notify });
  const build = async (...more: readonly string[]): Promise<unknown> =>
    (await homelab.run(["build", "--all", ...more])).exitCode;
  const byWebhook = (): { readonly text: string; readonly event: BranchNews }[] =>
    receiver.at("/hook").map(({ body }) => JSON.parse(body) as { text: string; event: BranchNews });
  const summary = (): readonly string[] =>
    byWebhook().map(({ event: { failing, mended } }) =>
      [...failing.hosts.map(({ host }) => `-${host}`), ...mended.hosts.map((host) => `+${host}`)].join(" "),
    );
  const toldOf = async (count: number): Promise<void> => {
    await expect.poll(() => receiver.at("/hook").length, { timeout: 30_000 }).toBe(count);
    await expect.poll(() => receiver.at("/builds").length, { timeout: 30_000 }).toBe(count);
  };

  let builder = await start();
  const good = await homelab.fleet.commit({ hosts: 2, salt: "news" });
  expect(await build()).toBe(0);
  const bad = await homelab.fleet.commit({ hosts: 2, salt: "news", buildFail: { host02: "exit1" } });
  expect(await build()).toBe(1);
  await toldOf(1);
  expect(byWebhook()).toMatchObject([
    {
      text: expect.stringMatching(
        /^fleet main at [0-9a-f]{7}: 1 host no longer builds: host02 \(build failed/,
      ),
      event: { repo: "fleet", commit: bad, failing: { count: 1, hosts: [{ host: "host02" }] } },
    },
  ]);
  expect(receiver.at("/builds")[0]).toMatchObject({
    headers: { title: "fleet: 1 host fails", priority: "high", tags: "x", authorization: "Bearer tk_secret" },
    body: expect.stringContaining("host02"),
  });

  // Neither the same again, nor a commit that is not the tip, is news; nor what rows say that are made again.
  expect(await build()).toBe(1);
  expect(await build("--repo", "fleet", "--rev", good)).toBe(0);
  const ended = builder.ended;
  builder.signal("SIGKILL");
  await ended;
  builder = await start();
  expect(await build()).toBe(1);
  await sleep(4000);
  await toldOf(1);

  // Who cannot be reached hears of it later, and nobody else waits.
  receiver.answer(503);
  await homelab.fleet.commit({ hosts: 2, salt: "mended" });
  expect(await build()).toBe(0);
  const scriptHeard = async (): Promise<number> => (await readFile(heard, "utf8")).trim().split("\n").length;
  await expect.poll(scriptHeard, { timeout: 30_000 }).toBe(2);
  await expect
    .poll(builder.log, { timeout: 30_000 })
    .toContain("a notification could not be sent; it is retried later");
  receiver.answer(200);
  builder.signal("SIGTERM");
  await builder.ended;
  builder = await start();
  await toldOf(2);
  expect(summary()).toEqual(["-host02", "+host02"]);
  expect(receiver.at("/builds")[1]).toMatchObject({ headers: { title: "fleet: 1 host fixed" } });
  expect(await scriptHeard()).toBe(2);
  expect(await readFile(heard, "utf8")).toMatch(/^fleet's news \{"repo":"fleet",/);

  // A flake that does not evaluate at all.
  await homelab.fleet.commit({ hosts: 2 }, { files: { "flake.nix": "{ outputs = syntax error" } });
  expect(await build()).toBe(1);
  await toldOf(3);
  expect(byWebhook()[2]?.text).toMatch(/the hosts cannot be listed any more: .*syntax error/);
  const log = await builder.log();
  expect(log).not.toContain("tk_secret");
  expect(log).not.toContain("/hook");
});

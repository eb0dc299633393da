import { request, type ClientRequest } from "node:http";
import { connect } from "node:net";
import { expect } from "vitest";
import { systemClock } from "../../src/base/clock.ts";
import { silentLog } from "../../src/base/log.ts";
import { createDeployReader } from "../../src/bus/deploy/create-deploy-reader.ts";
import { createRolloutReader } from "../../src/bus/rollout/create-rollout-reader.ts";
import { createFleetWatcher } from "../../src/bus/watch/fleet-watcher.ts";
import { createReader } from "../../src/bus/create-reader.ts";
import { runDashboard } from "../../src/dashboard/run-dashboard.ts";
import { parseBranchName } from "../../src/protocol/names.ts";
import { eventSubject, requestSubject } from "../../src/protocol/subjects.ts";
import { openPage, withBrowser } from "../support/browser.ts";
import { sampleCommit, storePath } from "../support/build-events.ts";
import { aBuildId, anUpdateEvent } from "../support/builds.ts";
import { scriptDeployments } from "../support/deploy-events.ts";
import { orderId, somePath } from "../support/deploy-orders.ts";
import { someHostState } from "../support/fake-deploy-bus.ts";
import { playRollout } from "../support/played-rollout.ts";
import { aRolloutId } from "../support/rollout-events.ts";
import { buildAt, type DashboardLab } from "../support/dashboard-lab.ts";
import { test } from "../support/dashboard.ts";
import { test as withRoles } from "../support/nats-roles.ts";

const signal = AbortSignal.timeout(120_000);

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
}

/** `fetch` lets nobody choose the host. */
const ask = async (url: string, headers: Record<string, string> = {}, method = "GET"): Promise<Answer> =>
  new Promise((resolve, reject) => {
    const asked = request(url, { method, headers }, (response) => {
      response.resume();
      resolve({ status: response.statusCode ?? 0, headers: response.headers });
    });
    asked.on("error", reject).end();
  });

const all = [
  '"><img src=x onerror=alert(1)>',
  "'><svg onload=alert(2)>",
  "<script>alert(3)</script>",
  "</title><script>alert(4)</script>",
  "javascript:alert(5)",
  "{{7*7}}${alert(6)}",
  "</textarea><iframe src=javascript:alert(7)>",
  "\u202eevil\u0000\u001b]0;x\u0007",
  "<a href=javascript:alert(8)>x</a>",
  "' onmouseover='alert(9)",
  "`-alert(10)-`",
  "<!--<img src=x onerror=alert(11)>-->",
  "<img src=x onerror=alert(12)>",
  "<IMG SRC=x OnErRoR=alert(13)>",
  "<svg><script>alert(14)</script></svg>",
  "<svg/onload=alert(15)>",
  "<math><mtext></table></math><img src onerror=alert(16)>",
  "<body onload=alert(17)>",
  "<input autofocus onfocus=alert(18)>",
  "<details open ontoggle=alert(19)>x</details>",
  "<video><source onerror=alert(20)></video>",
  "<audio src onerror=alert(21)>",
  "<object data=javascript:alert(22)>",
  "<embed src=javascript:alert(23)>",
  "<form action=javascript:alert(24)><button>x</button></form>",
  "<button formaction=javascript:alert(25)>x</button>",
  "<base href=https://evil.example/>",
  "<meta http-equiv=refresh content='0;url=https://evil.example'>",
  "<link rel=stylesheet href=https://evil.example/x.css>",
  "<style>*{background:url(https://evil.example)}</style>",
  "<template><script>alert(26)</script></template>",
  "<noscript><img src=x onerror=alert(27)></noscript>",
  "</script><script>alert(28)</script>",
  "</style><script>alert(29)</script>",
  "</pre><img src=x onerror=alert(30)>",
  "</td></tr></table><script>alert(31)</script>",
  "</main><script>alert(32)</script>",
  "]]><script>alert(33)</script>",
  "<![CDATA[<script>alert(34)</script>]]>",
  "<?xml version='1.0'?><script>alert(35)</script>",
  "&lt;script&gt;alert(36)&lt;/script&gt;",
  "&#60;script&#62;alert(37)&#60;/script&#62;",
  "%3Cscript%3Ealert(38)%3C/script%3E",
  "\x3cscript\x3ealert(39)\x3c/script\x3e",
  "\u003cimg src=x onerror=alert(40)\u003e",
  "data:text/html,<script>alert(41)</script>",
  "vbscript:alert(42)",
  "JaVaScRiPt:alert(43)",
  "java&#10;script:alert(44)",
  "//evil.example/x.js",
  'https://evil.example/" onclick="alert(45)',
  'x" autofocus onfocus="alert(46)',
  "x' autofocus onfocus='alert(47)",
  "x onmouseover=alert(48) y",
  '<a href="javascript:alert(49)">x</a>',
  "<a href=data:text/html,x target=_blank>x</a>",
  "<iframe srcdoc='<script>parent.alert(50)</script>'>",
  '\ndata: {"key":"main"}\n\n',
  "\r\n\r\nevent: news\r\ndata: []\r\n\r\n",
  "\u2028\u2029</script>",
];
/** Several in each text, because each page takes its time. */
const payloads = [0, 15, 30, 45].map((first) => all.slice(first, first + 15).join(" "));

/** Each text as long as the protocol takes it. */
async function tellDeploymentOf(lab: DashboardLab, host: string, text: string): Promise<void> {
  const of = (length: number): string => text.slice(0, length);
  await lab.hostIs(
    someHostState({
      host,
      at: new Date().toISOString(),
      version: of(64),
      tier: of(64),
      role: of(64),
      labels: { [of(60)]: of(64) },
      running: { path: somePath("x"), nixosVersion: of(200) },
      last: { outcome: "rolled-back", detail: of(500), at: new Date().toISOString() },
      order: { id: orderId(1), serial: 1, phase: of(64) },
      failedUnits: [of(300)],
      hold: of(500),
      drift: ["hand-made"],
    }),
  );
  const script = scriptDeployments({ host, start: new Date().toISOString() })
    .add("received", { by: of(60), reason: of(200) })
    .add("activating")
    .add("checking")
    .add("checked", {
      checks: [{ name: of(100), ok: false, ms: 1, detail: of(300), critical: true }],
      units: { before: 0, after: 1, new: [of(200) as never], lost: [of(200) as never] },
    })
    .add("warning", { text: of(300) })
    .add("rolling-back", { why: of(300) })
    .add("finished", { outcome: "rolled-back", detail: of(300) });
  await lab.tellDeployment(script.events);
}

async function tellRolloutOf(lab: DashboardLab, index: number, text: string): Promise<string> {
  // The protocol takes no controls in names.
  const of = (length: number): string =>
    text.replaceAll(/[\u0000-\u001f\u007f-\u009f]/g, "").slice(0, length);
  const played = playRollout(
    { by: of(64), reason: text.slice(0, 2000), branch: "main" },
    { id: aRolloutId(index) },
  )
    .add(2, { type: "wave-started", wave: 0 })
    .orders(2, "testvm01")
    .ends(9, "testvm01", { outcome: "rolled-back", code: "UNHEALTHY", detail: text.slice(0, 500) })
    .add(10, { type: "left-out", why: "held", hosts: [{ host: "web01", detail: text.slice(0, 500) }] })
    .add(11, { type: "halted", code: "HOSTS_FAILED", detail: text.slice(0, 500), host: "testvm01" })
    .add(12, { type: "paused", by: of(64), reason: text.slice(0, 500) });
  await lab.tellRollout(played.events);
  return played.id;
}

async function tellPayloads(lab: DashboardLab, text: string, index: number): Promise<readonly string[]> {
  const build = buildAt(new Date(Date.now() - 60_000 * (20 - index)));
  await lab.tell(
    build
      .accepted([`web${index}`], {
        // The protocol takes no controls here.
        requestedBy: text.replaceAll(/[\u0000-\u001f\u202e]/g, "").slice(0, 100),
        sources: [{ repo: "nixos-servers" as never, commit: sampleCommit, branch: parseBranchName("main") }],
        skipped: [{ repo: "nixos-servers" as never, host: text, reason: text }],
      })
      .derivationFailed("evil-1.0", [`web${index}`], {
        name: text,
        reason: text,
        phase: text,
        tail: [text, `\u001b[31m${text}`],
        log: 1,
      })
      .hostsFinished("build-failed", [`web${index}`], { reason: text, details: `${text}\n${text}` })
      .event({ type: "warning", message: text })
      .finished("failed", text),
  );
  await lab.printLog(build.id, 1, `${text}\n\u001b[1m${text}\u001b[0m\n`, {
    drvPath: storePath("evil-1.0.drv"),
  });
  await tellDeploymentOf(lab, `web${index}`, text);
  const rollout = await tellRolloutOf(lab, index, text);
  await lab.tellUpdate({
    ...anUpdateEvent,
    run: `run${index}`,
    outcome: "proposed",
    reason: text,
    url: text,
    inputs: [text],
    unavailable: [{ input: text, reason: text, runs: 1, needsPerson: true }],
    pullRequests: [{ number: 1, url: text, createdAt: anUpdateEvent.at }],
  });
  return [
    "/",
    "/builds",
    `/builds/${build.id}`,
    `/builds/${build.id}/logs`,
    `/builds/${build.id}/logs/1`,
    `/builds/${build.id}/logs/1?q=${encodeURIComponent(text)}`,
    `/hosts/nixos-servers/web${index}`,
    "/rollouts",
    `/rollouts/${rollout}`,
    "/health",
    "/updates",
    "/inputs",
    `/?q=${encodeURIComponent(text)}`,
    `/builds?q=${encodeURIComponent(text)}`,
  ];
}

withBrowser("text from outside", () => {
  test("is text on every page, also when it comes as news", async ({ lab, window }) => {
    await using dashboard = await lab.serve();
    const live = await openPage(window, `${dashboard.url}/`);
    const complaints: string[] = [];
    for (const [index, text] of payloads.entries()) {
      const paths = await tellPayloads(lab, text, index);
      for (const path of paths) {
        const opened = await openPage(window, `${dashboard.url}${path}`);
        complaints.push(...opened.complaints.map((each) => `${path}: ${each}`));
        expect(
          await opened.page.evaluate(() =>
            [
              ...document.querySelectorAll(
                "main img, main iframe, main script, main svg[onload], [onmouseover], [onerror], a[href^='javascript']",
              ),
            ].map((node) => node.outerHTML),
          ),
        ).toEqual([]);
        await opened.page.close();
      }
    }
    await expect
      .poll(() => live.page.evaluate(() => document.querySelectorAll("tbody tr").length))
      .toBe(payloads.length);
    expect([...complaints, ...live.complaints]).toEqual([]);
  });
});

test("headers, methods and names: every answer has the policy, and everything else is refused", async ({
  lab,
}) => {
  await using dashboard = await lab.serve();
  const paths = [
    "/",
    "/builds",
    "/queue",
    "/updates",
    "/inputs",
    "/cache",
    "/health",
    "/no-such",
    "/builds/x",
    "/hosts/a/b",
    "/%ff",
    "/builds/01JD0000000000000000000000/logs/1/raw",
  ];
  for (const path of paths) {
    const { status, headers } = await ask(`${dashboard.url}${path}`);
    expect([path, status]).toEqual([path, expect.toSatisfy((code: number) => code === 200 || code === 404)]);
    expect(headers).toMatchObject({
      "content-security-policy":
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
      "x-content-type-options": "nosniff",
      "referrer-policy": "no-referrer",
      "cross-origin-opener-policy": "same-origin",
      "cache-control": "no-store",
    });
    expect(headers).not.toHaveProperty("strict-transport-security");
  }
  for (const method of ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"]) {
    expect([method, (await ask(`${dashboard.url}/`, {}, method)).status]).toEqual([method, 405]);
  }
  expect((await ask(`${dashboard.url}/`, { host: "evil.example" })).status).toBe(421);
  expect((await ask(`${dashboard.url}/`, { host: "127.0.0.1.evil.example:80" })).status).toBe(421);
  expect((await ask(`${dashboard.url}/`, { "x-remote-user": "kai" })).status).toBe(400);
  await expect.poll(async () => (await ask(`${dashboard.url}/healthz`)).status).toBe(200);
});

test("what comes twice, and lines and pages that there are not, are refused", async ({ lab }) => {
  const build = buildAt(new Date());
  await lab.tell(build.accepted(["web01"]).hostsFinished("built", ["web01"]).finished("succeeded"));
  await lab.printLog(build.id, 1, "one\ntwo\n");
  await using dashboard = await lab.serve();
  const { port } = new URL(dashboard.url);
  const twice = await new Promise<string>((resolve, reject) => {
    const socket = connect(Number(port), "127.0.0.1", () =>
      socket.end("GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n"),
    );
    socket.once("data", (data) => resolve(String(data).slice(0, 12)));
    socket.once("error", reject);
  });
  expect(twice).toBe("HTTP/1.1 421");
  const log = `${dashboard.url}/builds/${build.id}/logs/1`;
  const statusOf = async (url: string): Promise<number> => (await fetch(url)).status;
  expect(await statusOf(`${log}/lines/2`)).toBe(200);
  for (const path of ["/lines/0", "/lines/3", "/lines/999999999999"]) {
    expect(await statusOf(`${log}${path}`)).toBe(404);
  }
  for (const path of ["/assets/..%2f..%2fpackage.json", "/hosts/a%2fb/c", "/builds/..%2f..", "/__proto__"]) {
    expect(await statusOf(`${dashboard.url}${path}`)).toBe(404);
  }
  expect(await statusOf(`${dashboard.url}/?sort=constructor&state=toString`)).toBe(200);
});

test("300 pages that want news: 200 get it, the others are told to come later", async ({ lab }) => {
  await using dashboard = await lab.serve();
  const { port } = new URL(dashboard.url);
  const opened: ClientRequest[] = [];
  const statuses = await Promise.all(
    Array.from(
      { length: 300 },
      async (_, index) =>
        new Promise<number>((resolve, reject) => {
          const asked = request(
            {
              port,
              host: "127.0.0.1",
              localAddress: `127.0.0.${2 + (index % 40)}`,
              path: "/events?page=%2F",
              agent: false,
            },
            (response) => {
              // One in ten reads nothing.
              if (index % 10 > 0) response.resume();
              response.on("error", () => undefined);
              resolve(response.statusCode ?? 0);
            },
          );
          opened.push(asked.on("error", reject));
          asked.end();
        }),
    ),
  );
  expect(statuses.filter((status) => status === 200)).toHaveLength(200);
  expect(statuses.filter((status) => status === 503)).toHaveLength(100);
  expect((await fetch(`${dashboard.url}/`)).status).toBe(200);
  for (const each of opened) each.destroy();
  await expect
    .poll(async () => (await fetch(`${dashboard.url}/metrics`)).text())
    .toMatch(/^homelab_deploy_dashboard_clients 0$/m);
});

test("a page that reads nothing is cut off, and all others go on", async ({ lab }) => {
  await using dashboard = await lab.serve();
  const clients = async (): Promise<string | undefined> =>
    /_clients (?<count>\d+)$/m.exec(await (await fetch(`${dashboard.url}/metrics`)).text())?.groups?.[
      "count"
    ];
  const { port } = new URL(dashboard.url);
  let taken = 0;
  const open = async (reads: boolean): Promise<ClientRequest> =>
    new Promise((resolve, reject) => {
      const asked = request(
        { port, host: "127.0.0.1", path: "/events?page=%2F&mark=none", agent: false },
        (answer) => {
          answer.on("error", () => undefined);
          if (reads) answer.on("data", (data: Buffer) => (taken += data.length));
          resolve(asked);
        },
      );
      asked.on("error", reject).end();
    });
  const [stuck, reading] = [await open(false), await open(true)];
  await expect.poll(clients).toBe("2");
  const hosts = Array.from({ length: 1000 }, (_, index) => `host${index}`);
  // What the kernel takes for it, some megabytes, is not ours: the page has to be sent several times.
  for (let round = 0; round < 20 && (await clients()) === "2"; round++) {
    const reason = `${round} `.repeat(600);
    const build = buildAt(new Date()).accepted(hosts);
    for (let at = 0; at < hosts.length; at += 100) {
      build.hostsFinished("build-failed", hosts.slice(at, at + 100), { reason });
    }
    await lab.tell(build.finished("failed"));
  }
  await expect.poll(clients).toBe("1");
  const before = taken;
  await lab.tell(
    buildAt(new Date()).accepted(["web01"]).hostsFinished("built", ["web01"]).finished("succeeded"),
  );
  await expect.poll(() => taken).toBeGreaterThan(before);
  for (const each of [stuck, reading]) each.destroy();
});

test("behind a proxy only the proxy comes in, and logs can be for users alone", async ({ lab }) => {
  const build = buildAt(new Date());
  await lab.tell(
    build.accepted(["web01"]).derivationFailed("x-1", ["web01"], { log: 1, tail: ["secret-tail"] }),
  );
  await lab.printLog(build.id, 1, "secret-line\n", { drvPath: storePath("x-1.drv") });
  await using dashboard = await lab.serve({
    gate: {
      allowedHosts: ["127.0.0.1"],
      auth: { mode: "proxy", trustedProxies: ["127.0.0.1"], secret: "the-secret" },
    },
    logs: "login",
  });
  const status = async (headers: Record<string, string>, path = "/"): Promise<number> =>
    (await ask(`${dashboard.url}${path}`, headers)).status;
  expect(await status({})).toBe(403);
  expect(await status({ "x-proxy-secret": "wrong", "x-remote-user": "kai" })).toBe(400);
  expect(await status({ "x-remote-user": "kai" })).toBe(400);
  expect(await status({ "x-proxy-secret": "the-secret", "x-remote-user": "kai" })).toBe(200);
  const text = async (path: string, user?: string): Promise<string> =>
    (
      await fetch(`${dashboard.url}${path}`, {
        headers: { "x-proxy-secret": "the-secret", ...(user === undefined ? {} : { "x-remote-user": user }) },
      })
    ).text();
  const page = `/builds/${build.id}`;
  expect(await text(page, "kai")).toContain("secret-tail");
  for (const path of [
    page,
    `${page}/logs`,
    `${page}/logs/1`,
    `${page}/logs/1/raw`,
    `${page}/logs/1?q=secret`,
  ]) {
    expect(await text(path)).not.toMatch(/secret-(?:tail|line)/);
  }
  const news = await fetch(`${dashboard.url}/events?page=${page}`, {
    headers: { "x-proxy-secret": "the-secret" },
  });
  const reader = news.body?.getReader();
  let got = "";
  while (!got.includes("event: news")) got += new TextDecoder().decode((await reader?.read())?.value);
  await reader?.cancel();
  expect(got).not.toContain("secret-tail");
});

withRoles("the dashboard's key reads, and may publish nothing else", async ({ as }) => {
  const connection = await as("dashboard");
  const reader = createReader(connection);
  expect(await reader.listBuilds(signal)).toEqual([]);
  expect((await createFleetWatcher(connection).streams(signal)).length).toBeGreaterThan(4);
  const refused: string[] = [];
  void (async () => {
    for await (const status of connection.nats.status()) {
      if (status.type === "error") refused.push(status.error.message);
    }
  })();
  const id = aBuildId();
  const subjects = [
    requestSubject({ repo: "any", host: "all" }),
    eventSubject(id),
    `build-logs.${id}.1`,
    "build-control.x",
    "update-events.servers",
    "$KV.results.build.x",
    "$JS.API.STREAM.PURGE.BUILD_EVENTS",
  ];
  for (const subject of subjects) connection.nats.publish(subject, "{}");
  await connection.nats.flush();
  await expect.poll(() => refused.length).toBe(subjects.length);
  for (const subject of subjects) expect(refused.join("\n")).toContain(subject);
});

withRoles("with that key the dashboard reads everything that it shows", async ({ as }) => {
  const connection = await as("dashboard");
  const said: unknown[] = [];
  const say = (fields: object): void => void said.push(fields);
  const stopped = new AbortController();
  await using dashboard = await runDashboard(
    {
      reader: createReader(connection),
      deploy: createDeployReader(connection),
      rollouts: createRolloutReader(connection),
      watcher: createFleetWatcher(connection),
      probeCache: async () => undefined,
      readAlerts: async () => undefined,
      listen: { host: "127.0.0.1", port: 0 },
      gate: { allowedHosts: ["127.0.0.1"], auth: { mode: "none" } },
      logs: "everybody",
      links: {},
      version: "0.1.0",
      clock: systemClock,
      log: { ...silentLog, debug: say, warn: say, error: say },
    },
    stopped.signal,
  );
  const url = `http://127.0.0.1:${dashboard.port}`;
  await expect.poll(async () => (await fetch(`${url}/healthz`)).status).toBe(200);
  const health = async (): Promise<string> => (await fetch(`${url}/health`)).text();
  await expect.poll(health).toContain("KV_results");
  expect(said).toEqual([]);
  stopped.abort();
});

import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parseConfig } from "../../../config/load.ts";
import { checkSecrets, judgeSecret } from "./check-secrets.ts";

test("every secret of the configuration is looked at, wherever it stands", async () => {
  const directory = await mkdtemp(join(tmpdir(), "homelab-secrets-"));
  try {
    const [sound, open, missing] = ["sound", "open", "missing"].map((name) => join(directory, name));
    if (sound === undefined || open === undefined) throw new Error("no paths");
    await writeFile(sound, "secret");
    await chmod(sound, 0o600);
    await writeFile(open, "secret");
    await chmod(open, 0o644);
    const { config } = parseConfig(
      JSON.stringify({
        nats: { nkeyFile: sound },
        repos: {
          r: {
            url: "https://git.lan/r.git",
            credentials: { tokenFile: open },
            update: { forge: { url: "https://git.lan", owner: "o", repository: "r", tokenFile: missing } },
          },
        },
        update: { webhookFile: "$CREDENTIALS_DIRECTORY/webhook" },
      }),
      "test",
    );
    const findings = await checkSecrets(config, undefined);
    expect(Object.fromEntries(findings.map(({ check, state }) => [check, state]))).toEqual({
      "secret nats.nkeyFile": "ok",
      "secret update.webhookFile": "unknown",
      "secret repos.r.credentials.tokenFile": "warning",
      "secret repos.r.update.forge.tokenFile": "wrong",
    });
    for (const { state, hint } of findings) expect(hint === undefined).toBe(state === "ok");
  } finally {
    await rm(directory, { recursive: true });
  }
});

test.each([
  ["/run/secrets/a", 0o100_600, 5, "ok"],
  ["/run/secrets/a", 0o100_640, 5, "ok"],
  ["/run/secrets/a", 0o100_604, 5, "warning"],
  ["/run/secrets/a", 0o100_660, 5, "warning"],
  ["/run/secrets/a", 0o100_600, 0, "wrong"],
  ["/nix/store/00000000000000000000000000000000-key", 0o100_400, 5, "wrong"],
])("%s with mode %o and %i bytes is %s", (path, mode, size, state) => {
  expect(judgeSecret("secret", path, { mode, size }).state).toBe(state);
});

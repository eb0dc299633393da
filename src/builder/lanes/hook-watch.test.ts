import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { StorePath } from "../../protocol/names.ts";
import { createActivityLog } from "../../nix/realise/activity-log.ts";
import type { NixActivity, NixMessage } from "../../nix/realiser.ts";
import { createHookWatch, type HookWatch } from "./hook-watch.ts";

const logs = join(import.meta.dirname, "../../../test/fixtures/nix-logs");
const drv = (name: string): StorePath =>
  `/nix/store/w9sgi6bq7qx3diwagw96bmppim34572a-${name}.drv` as StorePath;
const [one, other] = [drv("one"), drv("other")];
const started = (drvPath: StorePath): NixActivity => ({ type: "hook-started", drvPath });
const stopped = (drvPath: StorePath): NixActivity => ({ type: "hook-stopped", drvPath });
const line = (drvPath: StorePath, text: string): NixActivity => ({
  type: "log-lines",
  drvPath,
  lines: [text],
});
const counts: NixActivity = { type: "build-counts", done: 1, expected: 2, running: 0, failed: 0 };
const failed = (text: string): readonly NixMessage[] => [{ level: 0, text, authentic: true }];
const exited = (exitCode: number, messages: readonly NixMessage[] = []) =>
  ({ type: "exited", exitCode, messages }) as const;

function watching(...activities: readonly NixActivity[]): HookWatch {
  const watch = createHookWatch();
  activities.forEach((activity) => watch.take(activity));
  return watch;
}

describe.each(["2.8.0", "2.26.3", "2.34.8"])("Nix %s", (version) => {
  const messages: NixMessage[] = [];
  const watch = createHookWatch();
  const log = createActivityLog((activity) => {
    watch.take(activity);
    if (activity.type === "message" && activity.message.level === 0) messages.push(activity.message);
  });
  for (const text of readFileSync(join(logs, version, "hook_fails.log"), "utf8").split("\n")) log.line(text);

  test("names the derivation whose hook failed, with its last lines, and no other", () => {
    expect(watch.broken(exited(1, messages))).toEqual([
      {
        drvPath: expect.stringMatching(/-glibc\.drv$/) as string,
        reason: "/etc/nix/upload failed with exit code 1",
        lines: [expect.stringMatching(/^pushing/) as string, "attic: 503 Service Unavailable"],
      },
    ]);
  });

  test("knows whose hook succeeded", () => {
    expect([...watch.succeeded()]).toEqual([expect.stringMatching(/-linux\.drv$/)]);
  });
});

test("a hook behind whose end Nix continues has succeeded, whatever fails later", () => {
  const watch = watching(started(one), stopped(one), counts);
  expect(watch.isUndecided(one)).toBe(false);
  expect(watch.broken(exited(1, failed("error: builder for '/x.drv' failed with exit code 2")))).toEqual([]);
});

test("a hook behind whose end nothing comes is undecided, until Nix ends well", () => {
  const watch = watching(started(one), stopped(one), { type: "derivation-stopped", drvPath: one });
  expect(watch.isUndecided(one)).toBe(true);
  expect(watch.broken(exited(0))).toEqual([]);
  expect([...watch.succeeded()]).toEqual([one]);
});

test("of hooks that run at once, the first to stop has failed, and has interrupted the others", () => {
  const watch = watching(started(one), started(other), stopped(other), stopped(one));
  expect(watch.broken(exited(1, failed("error: program '/hook' failed due to signal 9 (Killed)")))).toEqual([
    { drvPath: other, lines: [], reason: "/hook failed due to signal 9 (Killed)" },
    { drvPath: one, lines: [], reason: "it was interrupted when Nix ended" },
  ]);
});

test("a hook that we interrupted has not succeeded", () => {
  const watch = watching(started(one));
  expect(watch.broken({ type: "stopped", reason: "it was interrupted" })).toMatchObject([
    { drvPath: one, reason: "it was interrupted" },
  ]);
});

test("keeps the last lines of the hook, and none of the build", () => {
  const many = Array.from({ length: 30 }, (_, index) => line(one, `post-build-hook: ${index}`));
  const watch = watching(line(one, "compiling"), started(one), ...many, stopped(one));
  const [hook] = watch.broken(exited(1));
  expect(hook?.lines).toHaveLength(20);
  expect(hook?.lines.at(-1)).toBe("29");
  expect(hook?.reason).toBe("Nix ended behind it without continuing");
});

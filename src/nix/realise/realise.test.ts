import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as v from "valibot";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Clock } from "../../base/clock.ts";
import { silentLog } from "../../base/log.ts";
import type { Exec, ExecOptions } from "../../process/exec.ts";
import { StorePath } from "../../protocol/names.ts";
import type { NixActivity, RealiseOptions, Realiser } from "../realiser.ts";
import { buildDirectoryFlags } from "./build-directory.ts";
import { readOwnIdentity } from "../../process/owner.ts";
import { parseMachines } from "../settings/machines.ts";
import { createRealise } from "./realise.ts";

const drvPath = v.parse(StorePath, `/nix/store/${"a".repeat(32)}-x.drv`);
const limits: RealiseOptions = { timeoutSeconds: 60, silenceSeconds: 30 };
const never = new AbortController().signal;

let directory = "";
let now = 0;
beforeEach(async () => {
  now = 0;
  directory = await mkdtemp(join(tmpdir(), "homelab-realise-"));
});
afterEach(async () => rm(directory, { recursive: true, force: true }));

const clock: Clock = { now: () => new Date(0), monotonic: () => now, sleep: async () => undefined };

type Run = (
  write: (text: string) => Promise<void>,
  args: readonly string[],
  options: ExecOptions,
) => Promise<number>;

function realiseWith(
  run: Run,
  { kills = [0, 0], version = "2.8.0", opensStoreItself = true } = {},
): Realiser["realise"] {
  const exec: Exec = async (file, args, options) => {
    const write = async (text: string): Promise<void> => options.onStderr?.(Buffer.from(text));
    const exitCode = await run(write, [file, ...args], options);
    return { exitCode, killedBy: undefined, timedOut: false, stdout: "", stderrTail: "" };
  };
  return createRealise({
    exec,
    clock,
    log: silentLog,
    readDerivation: async () => ({ outputs: new Map(), inputDrvs: new Map(), system: "x86_64-linux" }),
    environment: { PATH: "/bin" },
    buildsDirectory: join(directory, "builds"),
    version,
    machines: parseMachines("ssh://arm1?ssh-key=/k x86_64-linux /k 4 ; arm2 - - 2 1 kvm", "x86_64-linux"),
    opensStoreItself,
    countOutOfMemoryKills: async () => kills.shift() ?? 0,
  });
}

const line = (value: unknown): string => `@nix ${JSON.stringify(value)}\n`;
const started = line({ action: "start", id: 7, type: 105, level: 3, text: "", fields: [drvPath, "", 1, 1] });
const said = (text: string): string => line({ action: "result", fields: [text], id: 7, type: 101 });
const phase = line({ action: "result", fields: ["buildPhase"], id: 7, type: 104 });
const stopped = line({ action: "stop", id: 7 });
const error = (text: string): string => line({ action: "msg", level: 0, msg: text, raw_msg: text });

describe("the call of Nix", () => {
  async function argsOf(
    options: RealiseOptions,
    nix: { readonly version?: string; readonly opensStoreItself?: boolean } = {},
  ): Promise<readonly string[]> {
    let args: readonly string[] = [];
    const realise = realiseWith(async (_, given) => {
      args = given;
      return 0;
    }, nix);
    await realise([drvPath], options, () => undefined, never);
    return args;
  }

  test("goes on after failures, has limits, and puts paths behind --", async () => {
    const args = (await argsOf({ ...limits, maxJobs: 2, cores: 1 })).join(" ");
    expect(args).toMatch(
      /^nix-store --realise --keep-going --fallback --no-gc-warning --log-format internal-json /,
    );
    expect(args).toContain(" --timeout 60 --max-silent-time 30 --option connect-timeout 5 ");
    expect(args).toContain(" --option max-jobs 2 --option cores 1 ");
    expect(args).toMatch(new RegExp(` -- ${drvPath}$`));
    expect(args).not.toContain("substituters");
  });

  test("names substituters only when it is told which, also none", async () => {
    expect(await argsOf({ ...limits, substituters: ["http://a", "http://b"] })).toContain(
      "http://a http://b",
    );
    const none = await argsOf({ ...limits, substituters: [] });
    expect(none[none.indexOf("substituters") + 1]).toBe("");
  });

  test("tells a daemon of remote builders only if some are left out, the others as nix.conf has them", async () => {
    const daemon = { opensStoreItself: false };
    expect(await argsOf(limits, daemon)).not.toContain("builders");
    const without = await argsOf({ ...limits, withoutMachines: ["ssh://arm1"] }, daemon);
    expect(without[without.indexOf("builders") + 1]).toBe("arm2 - - 2 1 kvm");
  });

  test("leaves out who does not answer while it runs, for the derivations that follow", async () => {
    const machines: string[] = [];
    const realise = realiseWith(async (write, args) => {
      const file = (args[args.indexOf("builders") + 1] ?? "").replace(/^@/, "");
      machines.push(await readFile(file, "utf8"));
      await write(
        line({ action: "msg", level: 0, msg: "cannot build on 'ssh://arm1?ssh-key=/k': error: no" }),
      );
      await expect.poll(async () => readFile(file, "utf8")).not.toBe(machines[0]);
      machines.push(await readFile(file, "utf8"));
      return 0;
    });
    await realise([drvPath], limits, () => undefined, never);
    const [arm1, arm2] = ["ssh://arm1?ssh-key=/k x86_64-linux /k 4\n", "arm2 - - 2 1 kvm\n"];
    expect(machines).toEqual([`${arm1}${arm2}`, arm2]);
  });

  test("asks for one derivation that needs all, where it is for several, and for them where that cannot be", async () => {
    const other = v.parse(StorePath, `/nix/store/${"b".repeat(32)}-y.drv`);
    const aggregate = v.parse(StorePath, `/nix/store/${"c".repeat(32)}-homelab-deploy-aggregate.drv`);
    const asked = async (instantiates: boolean) => {
      const calls: (readonly string[])[] = [];
      const realise = realiseWith(async (write, args) => {
        calls.push([args[0] ?? "", ...args.slice(args.indexOf("--") + 1)]);
        if (args[0] === "nix-instantiate") {
          if (!instantiates) return 1;
          await symlink(aggregate, args[args.indexOf("--add-root") + 1] ?? "");
          return 0;
        }
        await write(started + stopped);
        const feature = "a 'builtin' with features {homelab-deploy-never} is required";
        await write(error(`${feature} to build '${aggregate}', but I am a 'x86_64-linux'`));
        return 1;
      });
      const result = await realise([drvPath, other], limits, () => undefined, never);
      return { calls: calls.filter(([program]) => program === "nix-store"), result };
    };
    const together = await asked(true);
    expect(together.calls).toEqual([["nix-store", aggregate]]);
    // Nix ends there because everything is built, which is not a problem.
    expect(together.result).toMatchObject({ exitCode: 0, messages: [] });
    expect(together.result.started.get(drvPath)?.end).toBe("known");

    const apart = await asked(false);
    expect(apart.calls).toEqual([["nix-store", drvPath, other]]);
    expect(apart.result.exitCode).toBe(1);
    expect(apart.result.started.get(drvPath)?.end).toBe("late");
  });

  test("with no paths is a mistake of the caller, not a success", async () => {
    const realise = realiseWith(async () => 0);
    await expect(realise([], limits, () => undefined, never)).rejects.toThrow("no paths");
  });

  test("says where to build from 2.30 on, and never to a daemon", async () => {
    const flags = ["--option", "build-dir", "/b"];
    expect(buildDirectoryFlags("2.30.0", "/b")).toEqual(flags);
    expect(buildDirectoryFlags("3.0.1", "/b")).toEqual(flags);
    expect(buildDirectoryFlags("2.29.2", "/b")).toEqual([]);
    expect(await argsOf(limits, { version: "2.34.8" })).toContain("build-dir");
    expect(await argsOf(limits, { version: "2.34.8", opensStoreItself: false })).not.toContain("build-dir");
  });
});

describe("its temporary directory", () => {
  test("is its own, and nothing of it stays, not even what cannot be written", async () => {
    const realise = realiseWith(async (_, __, { env, ownedDirectory }) => {
      const temporary = env["TMPDIR"] ?? "";
      expect(ownedDirectory).toBe(temporary);
      expect((await stat(temporary)).mode & 0o777).toBe(0o711);
      await mkdir(join(temporary, "source/deep"), { recursive: true });
      await writeFile(join(temporary, "source/deep/file"), "");
      await chmod(join(temporary, "source/deep"), 0o500);
      await chmod(join(temporary, "source"), 0o500);
      return 0;
    });
    await realise([drvPath], limits, () => undefined, never);
    expect(await readdir(join(directory, "builds"))).toEqual([]);
  });

  test("that a killed process left is removed, that of a running one is not", async () => {
    const builds = join(directory, "builds");
    const own = readOwnIdentity();
    const { pid, startTime, namespace } = own ?? { pid: 0, startTime: "", namespace: "" };
    // No process has this number: it is more than Linux can have. Nor did this one start with the machine.
    await mkdir(join(builds, `build-${namespace}-4194305-7-abc`, "source"), { recursive: true });
    await mkdir(join(builds, `build-${namespace}-${pid}-7-abc`));
    const kept = [
      `build-${namespace}-${pid}-${startTime}-abc`,
      `build-1${namespace}-4194305-7-abc`,
      "something-else",
    ];
    for (const name of kept) await mkdir(join(builds, name));
    await realiseWith(async () => 0)([drvPath], limits, () => undefined, never);
    expect((await readdir(builds)).toSorted()).toEqual(kept.toSorted());
  });

  test("goes when Nix cannot be run as well", async () => {
    const realise = realiseWith(async () => {
      throw new Error("cancelled");
    });
    await expect(realise([drvPath], limits, () => undefined, never)).rejects.toThrow("cancelled");
    expect(await readdir(join(directory, "builds"))).toEqual([]);
  });
});

describe("its result", () => {
  test("measures builds by the clock", async () => {
    const realise = realiseWith(async (write) => {
      await write(started);
      now = 1000;
      await write(phase);
      now = 2500;
      await write(said("hello"));
      now = 9000;
      await write(stopped);
      now = 20_000;
      return 100;
    });
    const { exitCode, started: builds } = await realise([drvPath], limits, () => undefined, never);
    expect(exitCode).toBe(100);
    expect(builds).toEqual(
      new Map([[drvPath, { durationMs: 9000, silentMs: 6500, phase: "buildPhase", end: "known" }]]),
    );
  });

  test("counts a build that never ended until Nix did", async () => {
    const realise = realiseWith(async (write) => {
      await write(started);
      now = 5000;
      return 1;
    });
    const result = await realise([drvPath], limits, () => undefined, never);
    expect(result.started.get(drvPath)).toEqual({ durationMs: 5000, silentMs: 5000 });
  });

  test("has the last 200 of Nix's own errors, without consequences, chatter and forgeries", async () => {
    const realise = realiseWith(async (write) => {
      await write(started);
      for (let index = 0; index < 250; index++) {
        await write(error(`error: number ${index}`));
        await write(error(`error: 1 dependencies of derivation '${drvPath}' failed to build`));
        await write(line({ action: "msg", level: 0, msg: "error: forged" }));
        await write(line({ action: "msg", level: 3, msg: "chatter", raw_msg: "chatter" }));
      }
      return 100;
    });
    const { messages } = await realise([drvPath], limits, () => undefined, never);
    expect(messages.map(({ text }) => text)).toEqual(
      Array.from({ length: 200 }, (_, index) => `error: number ${index + 50}`),
    );
  });

  test("counts what the kernel killed meanwhile", async () => {
    const { outOfMemoryKills } = await realiseWith(async () => 100, { kills: [7, 9] })(
      [drvPath],
      limits,
      () => undefined,
      never,
    );
    expect(outOfMemoryKills).toBe(2);
  });
});

describe("activities", () => {
  test("come in order, and Nix's output waits for who takes time for one", async () => {
    const taken: string[] = [];
    const gate = Promise.withResolvers<void>();
    let written = 0;
    const realise = realiseWith(async (write) => {
      await write(started + said("one") + said("two"));
      written++;
      await write(said("three"));
      written++;
      return 0;
    });
    const running = realise(
      [drvPath],
      limits,
      (activity: NixActivity) => {
        if (activity.type !== "log-lines") return undefined;
        taken.push(activity.lines.join("+"));
        return activity.lines.includes("one") ? gate.promise : undefined;
      },
      never,
    );
    await expect.poll(() => taken).toEqual(["one+two"]);
    expect(written).toBe(0);
    gate.resolve();
    await running;
    expect(taken).toEqual(["one+two", "three"]);
  });

  test("are taken one after the other", async () => {
    const gate = Promise.withResolvers<void>();
    const begun: string[] = [];
    let written = false;
    const realise = realiseWith(async (write) => {
      await write(started + said("one") + phase + said("two") + phase + said("three"));
      written = true;
      return 0;
    });
    const running = realise(
      [drvPath],
      limits,
      async (activity: NixActivity) => {
        if (activity.type !== "log-lines") return;
        begun.push(...activity.lines);
        if (begun.includes("two")) await gate.promise;
      },
      never,
    );
    await expect.poll(() => begun).toEqual(["one", "two"]);
    expect(written).toBe(false);
    gate.resolve();
    await running;
    expect(begun).toEqual(["one", "two", "three"]);
  });

  test("include a last line that Nix did not end", async () => {
    const taken: NixActivity["type"][] = [];
    const realise = realiseWith(async (write) => {
      await write(started + stopped.trimEnd());
      return 0;
    });
    await realise([drvPath], limits, ({ type }) => void taken.push(type), never);
    expect(taken).toEqual(["derivation-started", "derivation-stopped"]);
  });

  test("that nobody can take end the build with the reason", async () => {
    const realise = realiseWith(async (write) => {
      await write(started);
      return 0;
    });
    const failure = async (): Promise<void> => Promise.reject(new Error("log store is gone"));
    await expect(realise([drvPath], limits, failure, never)).rejects.toThrow("log store is gone");
  });
});

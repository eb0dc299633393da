// A git token that is wrong: somebody has to give access, and no later try helps.
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test as base } from "vitest";
import { createCommandContext, runCommand } from "../support/command-context.ts";
import { startGitHttpsServer, type GitHttpsServerOptions } from "../support/git-https-server.ts";
import { createUpdateLab } from "../support/update-lab.ts";

const test = base.extend("lab", { scope: "file" }, async ({}, { onCleanup }) => {
  const lab = await createUpdateLab(["host01"]);
  onCleanup(() => lab[Symbol.asyncDispose]());
  await lab.bump("alpha", { value: "2" });
  return lab;
});

type Refusal = Pick<GitHttpsServerOptions, "wrongToken" | "isPublic">;
const commands = { build: ["build", "--local", "fleet"], update: ["update", "--builds", "local"] };

test.for<[string, keyof typeof commands, Refusal, string]>([
  ["answers 401", "build", { wrongToken: 401 }, "cannot read"],
  ["answers 401", "update", { wrongToken: 401 }, "cannot read"],
  ["answers 403", "build", { wrongToken: 403 }, "cannot read"],
  ["answers 403", "update", { wrongToken: 403 }, "cannot read"],
  ["lets everybody read, and answers 401", "update", { wrongToken: 401, isPublic: true }, "cannot push to"],
  ["lets everybody read, and answers 403", "update", { wrongToken: 403, isPublic: true }, "cannot push to"],
])(
  "the exit code is 4 where a server gets a wrong token and %s: %s",
  async ([, command, refusal, message], { lab }) => {
    await using server = await startGitHttpsServer({
      root: lab.directory,
      directory: lab.directory,
      username: "git",
      token: "the right one",
      ...refusal,
    });
    const tokenFile = join(lab.directory, "token");
    await writeFile(tokenFile, "wrong\n", { mode: 0o600 });
    const config = join(lab.directory, "config.json");
    await writeFile(
      config,
      JSON.stringify({
        repos: { fleet: { url: `${server.url}/fleet.git`, credentials: { tokenFile } } },
        builder: {
          stateDirectory: join(lab.directory, "builder"),
          retry: { attempts: 2, firstDelaySeconds: 0 },
        },
        update: { stateDirectory: join(lab.directory, "state") },
      }),
    );
    const environment = {
      ...lab.store.environment,
      HOME: join(lab.store.directory, "home"),
      GIT_SSL_CAINFO: server.caFile,
    };
    const { context, said } = createCommandContext({ options: { config }, environment });
    expect(await runCommand(context, ...commands[command])).toBe(4);
    expect(said.stdout + said.stderr).toContain(`${message} ${server.url}/fleet.git`);
  },
);

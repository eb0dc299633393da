// The files of an installation: first all keys, then what names their public halves.
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { userWithKey } from "../../bus/server/own-key.ts";
import { createSigningKey } from "../../signing/signing-key-file.ts";
import type { SigningKey } from "../../protocol/deploy/order.ts";
import type { Plan } from "./decide-installation.ts";
import { installScript } from "./install-script.ts";
import { natsKeyFile, tokenFile, type Part, type PublicKeys } from "./part.ts";
import { readmeText } from "./readme.ts";
import { unitText } from "./units/unit-file.ts";

/**
 * @param directory an empty one, which becomes `plan.directory`
 * @param token for the repos; copied to each part that reads them
 */
export async function writeParts(
  directory: string,
  plan: Plan,
  parts: readonly Part[],
  token: string | undefined,
): Promise<void> {
  const keys = await writeKeys(directory, parts);
  if (token !== undefined) await writeToken(directory, parts, token);
  for (const part of parts) {
    for (const { name, text } of [...part.files(keys), ...unitFiles(plan, part)]) {
      await writeFile(join(directory, part.name, name), text, { mode: 0o644 });
    }
  }
  if (plan.form === "in-place") await mkdir(join(directory, "state"));
  if (plan.form === "systemd") {
    await writeFile(join(directory, "install.sh"), installScript(plan, parts), { mode: 0o755 });
  }
  await writeFile(join(directory, "README.md"), readmeText(plan, parts), { mode: 0o644 });
}

/** Makes the directory of each part with its keys. */
async function writeKeys(directory: string, parts: readonly Part[]): Promise<PublicKeys> {
  const nats = new Map<string, string>();
  const signing = new Map<string, SigningKey>();
  for (const { name, identity, signingKey } of parts) {
    await mkdir(join(directory, name));
    if (identity !== undefined) {
      const { user } = await userWithKey(join(directory, name, natsKeyFile), identity);
      nats.set(name, user.publicKey);
    }
    if (signingKey !== undefined) {
      signing.set(name, await createSigningKey(join(directory, name, signingKey)));
    }
  }
  return { nats, signing };
}

async function writeToken(directory: string, parts: readonly Part[], token: string): Promise<void> {
  for (const { name, readsRepos } of parts) {
    if (readsRepos === true) await writeFile(join(directory, name, tokenFile), `${token}\n`, { mode: 0o600 });
  }
}

const unitFiles = ({ form }: Plan, { service }: Part): readonly { name: string; text: string }[] =>
  form === "systemd" ? (service?.units ?? []).map((unit) => ({ name: unit.name, text: unitText(unit) })) : [];

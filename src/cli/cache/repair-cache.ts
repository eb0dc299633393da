// `cache verify --repair`: with which key and which store.
import { join, resolve } from "node:path";
import { HomelabError } from "../../base/errors.ts";
import { parsePublicKey, type TrustedKeys } from "../../narinfo/public-keys.ts";
import { repair, type RepairOutcome } from "../../cache/repair.ts";
import type { Verification, VerifyOptions } from "../../cache/verify.ts";
import type { CacheSettings } from "../../config/cache-schema.ts";
import { readSecret, resolveSecretPath } from "../../config/secrets.ts";
import type { Store } from "../../nix/store.ts";
import { nixEnvironment } from "../../nix/nix-environment.ts";
import { createStoreRepair } from "../../nix/store/store-repair.ts";
import { createExec } from "../../process/create-exec.ts";
import type { Context } from "../context.ts";
import { createPeopleLog } from "../session/people-log.ts";

export interface RepairParts {
  readonly context: Context;
  readonly settings: CacheSettings;
  readonly keys: TrustedKeys;
  readonly verify: VerifyOptions;
  readonly stateDirectory: string;
}

export async function repairCache(
  nix: Store,
  { context, settings, keys, verify, stateDirectory }: RepairParts,
  keyFileFlag: string | undefined,
  verification: Verification,
  signal: AbortSignal,
): Promise<RepairOutcome> {
  const { environment, err, errStyle: style } = context;
  // Nix runs in another directory.
  const setting = keyFileFlag === undefined ? settings.secretKeyFile : resolve(keyFileFlag);
  const keyFile =
    setting === undefined ? undefined : resolveSecretPath(setting, environment["CREDENTIALS_DIRECTORY"]);
  if (keyFile !== undefined) await checkKey(context, keyFile, keys);
  const { storeUrl } = settings;
  const store = createStoreRepair({
    exec: createExec(),
    environment: nixEnvironment(environment, join(stateDirectory, "nix")),
    keyFile,
    storeUrl,
  });
  const { findings } = verification;
  const valid = await nix.validPaths([...new Set(findings.map(({ path }) => path))], signal);
  // Only what was asked for: a closure more would be copied with it in any case.
  const wanted = await nix.readClosureFacts([...valid], signal);
  return repair(
    {
      store,
      means: { canSign: keyFile !== undefined, canCopy: storeUrl !== undefined },
      verify,
      onStep: (step) => err.write(`${style.dim("repair:")} ${style.clean(step)}\n`),
    },
    verification,
    wanted,
    signal,
  );
}

/** A signature by another key would change nothing. The secret itself goes nowhere. */
async function checkKey(context: Context, keyFile: string, keys: TrustedKeys): Promise<void> {
  const secret = await readSecret(keyFile, {
    credentialsDirectory: context.environment["CREDENTIALS_DIRECTORY"],
    log: createPeopleLog(context),
  });
  const { name, base64 } = /^(?<name>[^\s:]+):(?<base64>[A-Za-z0-9+/]{86}==)$/.exec(secret)?.groups ?? {};
  if (name !== undefined && base64 !== undefined) {
    // The second half of a secret key is the public one (libsodium's crypto_sign_ed25519).
    const publicHalf = Buffer.from(base64, "base64").subarray(32).toString("base64");
    const { text } = parsePublicKey(`${name}:${publicHalf}`);
    if (keys.some((key) => key.text === text)) return;
  }
  throw new HomelabError("config", `the key in ${keyFile} is not one of cache.publicKeys`, {
    code: "BAD_SECRET",
    hint: `its public key must be among those of cache.publicKeys: ${keys.map((key) => key.name).join(", ")}`,
  });
}

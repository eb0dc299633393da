// The key that builders state closures with: it signs, and never signs in.
import type { Config } from "../../../config/schema.ts";
import { resolveSecretPath } from "../../../config/secrets.ts";
import { loadSigner } from "../../../signing/signing-key-file.ts";
import { findingOf, ok, type Finding } from "../finding.ts";

/** Nothing where none is configured, or where only the service has it. */
export async function checkStatementKey(
  { builder: { statementKeyFile } }: Config,
  credentialsDirectory: string | undefined,
): Promise<readonly Finding[]> {
  if (statementKeyFile === undefined) return [];
  if (statementKeyFile.startsWith("$CREDENTIALS_DIRECTORY/") && credentialsDirectory === undefined) return [];
  try {
    const { key } = await loadSigner(resolveSecretPath(statementKeyFile, credentialsDirectory));
    return [
      ok("statement key", `hosts that list ${key} in trustedBuilders activate what this builder states`),
    ];
  } catch (error) {
    return [findingOf("statement key", error)];
  }
}

// A part of an installation: what goes to one machine or person together, as a directory of its own.
import type { Identity } from "../../bus/server/permissions.ts";
import type { SigningKey } from "../../protocol/deploy/order.ts";
import type { UnitFile } from "./units/unit-file.ts";

/** The public halves of all keys, by the name of the part that has the secret one. */
export interface PublicKeys {
  readonly nats: ReadonlyMap<string, string>;
  readonly signing: ReadonlyMap<string, SigningKey>;
}

export interface TextFile {
  /** Within the part. */
  readonly name: string;
  readonly text: string;
}

/** What proves a step, as somebody types it on the machine of the part. */
export interface Proof {
  readonly command: string;
  readonly expects: string;
}

export interface Part {
  /** Its directory: `nats`, `builder-cache01`. With an identity it is the label of the user of NATS. */
  readonly name: string;
  /** Where it goes: "the machine that builds". */
  readonly goesTo: string;
  readonly holds: string;
  /** The user that signs in to NATS with `nats.nk`. */
  readonly identity?: Identity;
  /** The file with the key that signs. */
  readonly signingKey?: string;
  /** It reads the repos, with the token if there is one. */
  readonly readsRepos?: true;
  /** The configuration file, or text files of other kinds, once all keys are known. */
  files(keys: PublicKeys): readonly TextFile[];
  /** How it runs as a service. */
  readonly service?: Service;
  /** In place: what runs it, or is run once. */
  readonly inPlace?: string;
  readonly proofs: readonly Proof[];
}

export interface Service {
  readonly units: readonly UnitFile[];
  /** The units that are enabled and started. */
  readonly start: readonly string[];
  /** A user of the system that it runs as, which is made where it is missing. */
  readonly user?: string;
  /** It uses the Nix daemon of its machine. */
  readonly usesNix: boolean;
}

/** The key with which a part signs in. */
export const natsKeyFile = "nats.nk";

/** The token with which a part signs in to the repos' server. */
export const tokenFile = "git-token";

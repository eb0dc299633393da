// What goes wrong on NATS, said once for everybody: the library's errors become errors that a person can act on.
import { JetStreamApiError } from "@nats-io/jetstream";
import {
  AuthorizationError,
  ClosedConnectionError,
  DrainingConnectionError,
  InvalidArgumentError,
  NoRespondersError,
  PermissionViolationError,
  RequestError,
  TimeoutError,
  UserAuthenticationExpiredError,
} from "@nats-io/transport-node";
import { isCertificateError } from "../../base/certificate-error.ts";
import { HomelabError, internalCode, isProgrammingError, messageOf } from "../../base/errors.ts";

/** JetStream's own error codes (nats-server, server/errors.json) that we tell apart. */
export const apiCodes = {
  accountStorageExceeded: 10_002,
  consumerNotFound: 10_014,
  insufficientResources: 10_023,
  noMessage: 10_037,
  notEnabledForAccount: 10_039,
  storageExceeded: 10_047,
  messageTooLarge: 10_054,
  ackPendingTooLarge: 10_121,
  badStreamConfig: 10_052,
  streamNotFound: 10_059,
  wrongLastSequence: 10_071,
  storeFailed: 10_077,
  wrongLastSequenceUnknown: 10_164,
} as const;

const storageCodes: ReadonlySet<number> = new Set([
  apiCodes.accountStorageExceeded,
  apiCodes.insufficientResources,
  apiCodes.storageExceeded,
  apiCodes.storeFailed,
]);

export const apiCodeOf = (error: unknown): number | undefined =>
  error instanceof JetStreamApiError ? error.code : undefined;

/** The server refused a compare-and-swap. */
export function isWrongLastSequence(error: unknown): boolean {
  const code = apiCodeOf(error);
  return code === apiCodes.wrongLastSequence || code === apiCodes.wrongLastSequenceUnknown;
}

/**
 * The stream has as many messages or bytes as it may. The code stands for whatever kept the server from storing, such
 * as `no space left on device` from 2.9; only its words say which (nats-server, server/store.go, ErrMaxMsgs and others).
 */
const isStreamFull = (error: unknown): boolean =>
  error instanceof JetStreamApiError &&
  error.code === apiCodes.storeFailed &&
  /^maximum (?:messages|bytes)\b/.test(error.message);

export const isNoResponders = (error: unknown): boolean =>
  error instanceof NoRespondersError || (error instanceof RequestError && error.isNoResponders());

/** The library exports no class for it. It also says so when no stream covers the subject of a publish. */
const isJetStreamNotEnabled = (error: unknown): boolean =>
  error instanceof Error && error.name === "JetStreamNotEnabled";

const isNotEnabledForAccount = (error: unknown): boolean =>
  [error, error instanceof Error ? error.cause : undefined].some(
    (each) => apiCodeOf(each) === apiCodes.notEnabledForAccount,
  );

/** JetStream, the stream, or the consumer does not exist (yet). */
export function isMissing(error: unknown): boolean {
  const code = apiCodeOf(error);
  return (
    isJetStreamNotEnabled(error) ||
    code === apiCodes.notEnabledForAccount ||
    code === apiCodes.streamNotFound ||
    code === apiCodes.consumerNotFound ||
    isNoResponders(error)
  );
}

/** Nobody answers: in a cluster that is how a stream without a leader, or JetStream without one, looks to a client. */
export const isLeaderless = (error: unknown): boolean =>
  isJetStreamNotEnabled(error) || isNoResponders(error);

/** The connection broke while we waited: whether the server did what we asked is unknown. */
export class ConnectionLostError extends Error {
  override readonly name = "ConnectionLostError";
}

/** The outcome is unknown, or nothing happened because the server was away: the same call may work in a moment. */
export function isTransient(error: unknown): boolean {
  if (error instanceof TimeoutError || error instanceof ConnectionLostError) return true;
  const code = apiCodeOf(error);
  // "insufficient resources" is also a full disk; 503 is a server that is not ready.
  if (code === apiCodes.insufficientResources || code === apiCodes.accountStorageExceeded) return true;
  if (error instanceof JetStreamApiError && error.status === 503) {
    return code !== apiCodes.notEnabledForAccount && !isStreamFull(error);
  }
  return (
    error instanceof RequestError &&
    /disconnected|connection closed|cancelled/.test(error.message) &&
    permissionViolationOf(error) === undefined
  );
}

export const isPermissionViolation = (error: unknown): boolean => permissionViolationOf(error) !== undefined;

export function permissionViolationOf(error: unknown): PermissionViolationError | undefined {
  if (error instanceof PermissionViolationError) return error;
  return error instanceof Error && error.cause instanceof PermissionViolationError ? error.cause : undefined;
}

/** Whom we asked: of a connection. */
export interface AskedServer {
  /** The client forgets it while it connects again. */
  readonly nats: {
    readonly info?: {
      readonly server_name?: string;
      readonly jetstream?: boolean;
      readonly domain?: string;
      readonly max_payload?: number;
    };
  };
  readonly jetstreamDomain: string | undefined;
}

/**
 * @param doing for the message: `publish`, `read the events of 01J…`.
 * @param asked for advice that fits the server
 */
export function explainNatsError(error: unknown, doing: string, asked?: AskedServer): HomelabError {
  if (error instanceof HomelabError) return error;
  const explain = (kind: HomelabError["kind"], message: string, code: string, hint: string): HomelabError =>
    new HomelabError(kind, message, { code, hint, cause: error });

  const violation = permissionViolationOf(error);
  if (violation !== undefined) {
    const verb = violation.operation === "publish" ? "publish to" : "subscribe to";
    return explain(
      "refused",
      `our key may not ${verb} ${violation.subject}`,
      "NATS_PERMISSION",
      violation.subject.startsWith("_INBOX")
        ? "set nats.inboxPrefix to what the server's configuration allows for this key"
        : "use a key whose role may do this; `homelab-deploy nats config` prints the roles",
    );
  }
  if (isMissing(error) || (error instanceof TimeoutError && lacksJetStream(asked))) {
    const { what, hint } = describeMissing(error, asked);
    return explain("unavailable", `cannot ${doing}: ${what}`, "JETSTREAM_MISSING", hint);
  }
  const code = apiCodeOf(error);
  if (isStreamFull(error)) {
    return explain(
      "unavailable",
      `cannot ${doing}: the queue is full`,
      "QUEUE_FULL",
      "wait until builders have caught up, or find out why they do not: homelab-deploy doctor",
    );
  }
  if (code === apiCodes.messageTooLarge || isPayloadTooLarge(error)) {
    const most = asked?.nats.info?.max_payload;
    const limit = isPayloadTooLarge(error) && most !== undefined ? ` for max_payload, ${most} bytes` : "";
    return explain(
      "usage",
      `cannot ${doing}: the message is too large${limit}`,
      "TOO_LARGE",
      limit === ""
        ? "send less at once"
        : "see whether max_payload of the NATS server, or of our account, is large enough: homelab-deploy doctor",
    );
  }
  if (code !== undefined && storageCodes.has(code)) {
    return explain(
      "unavailable",
      `cannot ${doing}: ${code === apiCodes.accountStorageExceeded ? "our account on the NATS server" : "the NATS server"} has no storage left`,
      "NATS_STORAGE",
      code === apiCodes.accountStorageExceeded
        ? "raise the account's max_file in the server's configuration (a JWT's --js-disk-storage): homelab-deploy doctor"
        : "free disk space at the server or raise jetstream.max_file_store; servers of 2.9 and 2.15 need a restart after that",
    );
  }
  if (error instanceof ClosedConnectionError || error instanceof DrainingConnectionError) {
    return explain(
      "unavailable",
      `cannot ${doing}: the connection to NATS is closed`,
      "NATS_UNREACHABLE",
      "check the NATS server, then try again",
    );
  }
  if (error instanceof TimeoutError) {
    return explain(
      "unavailable",
      `cannot ${doing}: NATS did not answer in time`,
      "NATS_TIMEOUT",
      "check the NATS server and its disk, then try again",
    );
  }
  if (isProgrammingError(error)) {
    const hint = "this is a bug in homelab-deploy, please report it with the stack in the log";
    return explain("bug", `cannot ${doing}: ${messageOf(error)}`, internalCode, hint);
  }
  return explain(
    "unavailable",
    `cannot ${doing}: ${messageOf(error)}`,
    "NATS_ERROR",
    "look into the log of the NATS server",
  );
}

/** The server says that it has none. A leaf node of 2.9 does not answer at all. */
const lacksJetStream = (asked: AskedServer | undefined): boolean =>
  asked?.nats.info !== undefined && asked.nats.info.jetstream !== true && asked.jetstreamDomain === undefined;

const thenSetUp = "then run once: homelab-deploy nats setup";

function describeMissing(
  error: unknown,
  asked: AskedServer | undefined,
): { readonly what: string; readonly hint: string } {
  if (isNotEnabledForAccount(error)) {
    return {
      what: "our account on the NATS server has no JetStream",
      hint: `set in the server's configuration: accounts { OUR_ACCOUNT { jetstream: enabled } } (accounts that are JWTs: nsc edit account --js-disk-storage 8G), ${thenSetUp}; the account of clients imports instead what \`homelab-deploy nats config\` prints`,
    };
  }
  const code = apiCodeOf(error);
  const isFound = code === apiCodes.streamNotFound || code === apiCodes.consumerNotFound;
  const name = asked?.nats.info?.server_name ?? "that we are connected to";
  if (!isFound && lacksJetStream(asked)) {
    return {
      what: `the NATS server ${name} has no JetStream`,
      hint: `enable JetStream in its configuration, ${thenSetUp}. If it is a leaf node: set nats.jetstreamDomain to the domain of the hub's JetStream, or nats.servers to the hub`,
    };
  }
  const domain = asked?.jetstreamDomain;
  if (!isFound && domain !== undefined) {
    return {
      what: `the JetStream domain ${domain} does not answer through the NATS server ${name}`,
      hint: "compare nats.jetstreamDomain with the `domain` in the hub's `jetstream` block, and see in the leaf node's log whether it is connected to the hub, with our account",
    };
  }
  const own = asked?.nats.info?.domain;
  const elsewhere =
    domain === undefined && own !== undefined
      ? `. The server has the JetStream domain ${own}: if the streams are in another one, set nats.jetstreamDomain`
      : "";
  return {
    what: isFound
      ? "one of our streams is missing on the NATS server"
      : "JetStream or one of our streams is missing on this server",
    hint: isFound
      ? `run once with the admin's key: homelab-deploy nats setup${elsewhere}`
      : `enable JetStream in the server's configuration, ${thenSetUp}${elsewhere}`,
  };
}

/** The client refuses to send more than the server's `max_payload`. */
const isPayloadTooLarge = (error: unknown): boolean =>
  error instanceof InvalidArgumentError && error.message.includes("max_payload");

/** An error of connecting; `undefined` when the client gave up a connection that it had. */
export function explainConnectError(error: unknown, servers: readonly string[]): HomelabError {
  if (error instanceof HomelabError) return error;
  const where = servers.join(", ");
  if (error instanceof AuthorizationError || error instanceof UserAuthenticationExpiredError) {
    return new HomelabError("refused", `NATS at ${where} does not accept our key`, {
      code: "NATS_AUTH",
      hint: "check nats.nkeyFile, and that the server's configuration lists its public key",
      cause: error,
    });
  }
  const message = messageOf(error);
  if (/tls/i.test(message) && /not available|does not support/i.test(message)) {
    return new HomelabError("refused", `NATS at ${where} does not offer TLS, which is required`, {
      code: "NATS_TLS",
      hint: "switch TLS on at the server; use nats:// without nats.tls only on a network you trust",
      cause: error,
    });
  }
  if (isCertificateError(error)) {
    return new HomelabError("refused", `the certificate of NATS at ${where} is not trusted`, {
      code: "NATS_TLS",
      hint: "set nats.tls.caFile to the authority that signed it, or add that to those of this machine; and use a name that it was made for",
      cause: error,
    });
  }
  return new HomelabError("unavailable", `NATS at ${where} cannot be reached`, {
    code: "NATS_UNREACHABLE",
    hint: "check that the server runs and that nats.servers or $NATS_URL names it",
    cause: error,
  });
}

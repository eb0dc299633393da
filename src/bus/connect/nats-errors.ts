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
import { adviseOnCertificate } from "../../base/certificate-error.ts";
import {
  describeMissing,
  describeNoLeader,
  isClustered,
  lacksJetStream,
  type AskedServer,
  type Missing,
} from "./describe-missing.ts";
import { refusalOfCertificate } from "./transport.ts";
import { HomelabError, internalCode, isProgrammingError, messageOf } from "../../base/errors.ts";

/** JetStream's own error codes (nats-server, server/errors.json) that we tell apart. */
export const apiCodes = {
  accountStorageExceeded: 10_002,
  noSuitablePeers: 10_005,
  clusterNotAvailable: 10_008,
  clusterNotLeader: 10_009,
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
  duplicateInProcess: 10_158,
  lastSequenceInProcess: 10_164,
  tooManyRequests: 10_167,
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
export const isWrongLastSequence = (error: unknown): boolean =>
  apiCodeOf(error) === apiCodes.wrongLastSequence;

/**
 * A cluster has not decided yet about a message with the same id, or on the same subject, such as our own attempt whose
 * answer was late (nats-server, server/jetstream_batching.go). It may be stored or not: ask again.
 */
export const isInProcess = (error: unknown): boolean => {
  const code = apiCodeOf(error);
  return code === apiCodes.duplicateInProcess || code === apiCodes.lastSequenceInProcess;
};

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

/** Only servers of a cluster do. */
function saysNoLeader(error: unknown): boolean {
  const code = apiCodeOf(error);
  return code === apiCodes.clusterNotAvailable || code === apiCodes.clusterNotLeader;
}

/**
 * Nobody answers, or the server says that it is not the one: in a cluster that is how a stream without a leader, or
 * JetStream without one, looks to a client.
 */
export function isLeaderless(error: unknown): boolean {
  if (saysNoLeader(error)) return true;
  return (isJetStreamNotEnabled(error) || isNoResponders(error)) && !isNotEnabledForAccount(error);
}

/** The connection broke while we waited: whether the server did what we asked is unknown. */
export class ConnectionLostError extends Error {
  override readonly name = "ConnectionLostError";
}

/** The outcome is unknown, or nothing happened because the server was away: the same call may work in a moment. */
export function isTransient(error: unknown): boolean {
  if (error instanceof TimeoutError || error instanceof ConnectionLostError) return true;
  if (isInProcess(error)) return true;
  const code = apiCodeOf(error);
  // "insufficient resources" is also a full disk; 503 is a server that is not ready. One that is overloaded drops messages.
  if (code === apiCodes.insufficientResources || code === apiCodes.accountStorageExceeded) return true;
  if (code === apiCodes.tooManyRequests) return true;
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
        : asked?.jetstreamDomain !== undefined && violation.subject.startsWith("$JS.")
          ? `see whether nats.jetstreamDomain, ${asked.jetstreamDomain}, is that of the JetStream with our streams: homelab-deploy doctor`
          : "use a key whose role may do this; `homelab-deploy nats config` prints the roles",
    );
  }
  const isOfCluster = isClustered(asked) && asked.jetstreamDomain === undefined;
  if (saysNoLeader(error) || (isOfCluster && isLeaderless(error) && !lacksJetStream(asked))) {
    const { what, hint } = describeNoLeader(asked);
    return explain("unavailable", `cannot ${doing}: ${what}`, "NATS_NO_LEADER", hint);
  }
  if (isMissing(error) || (error instanceof TimeoutError && lacksJetStream(asked))) {
    const { what, hint } = describeMissing(missingOf(error), asked);
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
  if (error instanceof TimeoutError || isInProcess(error)) {
    return explain(
      "unavailable",
      isInProcess(error)
        ? `cannot ${doing}: the NATS servers did not agree on an earlier attempt in time`
        : `cannot ${doing}: NATS did not answer in time`,
      "NATS_TIMEOUT",
      isOfCluster
        ? `see whether most servers of the cluster ${asked.cluster} run and reach each other (homelab-deploy doctor), and look at their disks`
        : "check the NATS server and its disk, then try again",
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

const missingOf = (error: unknown): Missing => {
  if (isNotEnabledForAccount(error)) return "account";
  const code = apiCodeOf(error);
  return code === apiCodes.streamNotFound || code === apiCodes.consumerNotFound ? "object" : "unknown";
};

/** The client refuses to send more than the server's `max_payload`. */
const isPayloadTooLarge = (error: unknown): boolean =>
  error instanceof InvalidArgumentError && error.message.includes("max_payload");

/** OpenSSL cannot read what `nats.tls` names, or it does not fit together. */
const isUnusableFile = (error: unknown): boolean =>
  error instanceof Error &&
  error.cause instanceof Error &&
  "code" in error.cause &&
  String(error.cause.code).startsWith("ERR_OSSL_");

/** An error of connecting; `undefined` when the client gave up a connection that it had. */
export function explainConnectError(error: unknown, servers: readonly string[]): HomelabError {
  if (error instanceof HomelabError) return error;
  const where = servers.join(", ");
  const refusal = refusalOfCertificate(error);
  if (refusal !== undefined) {
    return new HomelabError("refused", `NATS at ${where} does not accept our certificate: ${refusal}`, {
      code: "NATS_TLS",
      hint: "set nats.tls.certFile and nats.tls.keyFile to a certificate that is valid now, from an authority that the server trusts",
    });
  }
  if (isUnusableFile(error)) {
    return new HomelabError("config", "the certificate and key of nats.tls cannot be used", {
      code: "NATS_TLS_FILE",
      hint: "nats.tls.certFile and nats.tls.keyFile must be PEM, and the key must be that of the certificate",
      cause: error,
    });
  }
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
  const hint = adviseOnCertificate(
    error,
    "set nats.tls.caFile to the authority that signed it, or add that to those of this machine",
  );
  if (hint !== undefined) {
    return new HomelabError("refused", `the certificate of NATS at ${where} is not trusted`, {
      code: "NATS_TLS",
      hint,
      cause: error,
    });
  }
  // Its words where a socket was closed before the server's first word.
  if (message.includes("undefined error")) {
    return new HomelabError("unavailable", `NATS at ${where} closes the connection without a word`, {
      code: "NATS_UNREACHABLE",
      hint: "see that it is a NATS server; if its tls block has handshake_first: true, make that auto, because we wait for its first word",
    });
  }
  return new HomelabError("unavailable", `NATS at ${where} cannot be reached`, {
    code: "NATS_UNREACHABLE",
    hint: "check that the server runs and that nats.servers or $NATS_URL names it",
    cause: error,
  });
}

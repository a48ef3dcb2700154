/**
 * The closed table of what can go wrong. A `kind` says what the caller can do about it (and is what the HTTP edge and the
 * command line map to a status and an exit code, each once); a `code` is the stable name that clients switch on.
 * `docs/reference/errors.md` is generated from this table.
 */

/** What the caller can do about it. */
export const errorKinds = {
  invalid: 'The request is malformed. Nothing was done; mend the request.',
  unauthenticated: 'No valid identity was presented.',
  locked: 'The share is locked: its password has not been given, or its terms are not accepted.',
  forbidden: 'The identity is known and may see the thing, but not do this.',
  not_found: 'It is not there, or its existence is none of the caller’s business.',
  conflict: 'It clashes with what is there now.',
  gone: 'It was there and was taken away for good.',
  too_large: 'It is larger than a stated limit.',
  unsupported: 'This kind of thing cannot be done here.',
  range: 'The asked range lies outside of the content.',
  rate_limited: 'Too much in too short a time. Wait, then try again.',
  unavailable: 'A part that is needed does not answer now. Try again.',
  timeout: 'It took longer than the stated limit.',
  cancelled: 'The caller went away or cancelled.',
  internal: 'A fault of packageR itself.',
} as const;

export type ErrorKind = keyof typeof errorKinds;

export interface ErrorRow {
  readonly kind: ErrorKind;
  /** One sentence for people: what is wrong. */
  readonly title: string;
  /** One sentence for people: what to do. */
  readonly help: string;
}

export const errorTable = {
  // names, paths, values
  path_invalid: {
    kind: 'invalid',
    title: 'The path is not canonical.',
    help: 'Write it with single slashes, without “.”, “..”, control characters or a slash at the ends.',
  },
  key_invalid: { kind: 'invalid', title: 'The object key is not valid.', help: 'A key has 1 to 1024 bytes and no NUL.' },
  name_invalid: {
    kind: 'invalid',
    title: 'The name is not valid.',
    help: 'Use 1 to 63 of a–z, 0–9, “.”, “_”, “-”, and begin with a letter or digit.',
  },
  digest_invalid: { kind: 'invalid', title: 'The digest is not valid.', help: 'A digest is “sha256:” and 64 lower-case hex digits.' },
  checksum_invalid: { kind: 'invalid', title: 'The checksum is not valid.', help: 'Write algorithm:hex, for instance md5:… or sha256:….' },
  pointer_invalid: { kind: 'invalid', title: 'The pointer is not valid.', help: 'See docs/reference/pointer.md for its form.' },
  manifest_invalid: {
    kind: 'invalid',
    title: 'The manifest is not canonical.',
    help: 'See docs/reference/manifest.md for its form; the message names what differs.',
  },
  pattern_invalid: {
    kind: 'invalid',
    title: 'The pattern is not valid.',
    help: 'Use a glob (*, **, ?, [a-z], {a,b}) or an RE2 expression of at most 256 characters.',
  },
  duration_invalid: { kind: 'invalid', title: 'The duration is not valid.', help: 'Write a number and a unit: 30s, 15m, 12h, 7d.' },
  instant_invalid: {
    kind: 'invalid',
    title: 'The instant is not valid.',
    help: 'Write an RFC 3339 instant or date: 2026-11-23 or 2026-11-23T12:00:00Z.',
  },
  reference_invalid: {
    kind: 'invalid',
    title: 'The package reference is not valid.',
    help: 'Write namespace/name, namespace/name@3 or namespace/name@latest.',
  },
  meta_invalid: {
    kind: 'invalid',
    title: 'The metadata is not valid.',
    help: 'Entry metadata is a flat object of strings, numbers and booleans, at most 4 KiB as JSON.',
  },
  metadata_invalid: { kind: 'invalid', title: 'package.yaml is not valid.', help: 'See docs/reference/package-yaml.md for its fields.' },
  request_invalid: {
    kind: 'invalid',
    title: 'The request is malformed.',
    help: 'See the message for the field at fault, and docs/reference/http.md.',
  },
  cursor_invalid: { kind: 'invalid', title: 'The cursor is not one of this listing.', help: 'Begin the listing again without a cursor.' },
  password_weak: { kind: 'invalid', title: 'The password does not meet the policy.', help: 'Use 12 to 1024 bytes (8 for a share).' },
  secret_invalid: {
    kind: 'invalid',
    title: 'The secret is missing, empty or malformed.',
    help: 'Give it by prompt, stdin (“-”) or the secrets folder; never on the command line.',
  },
  argument_invalid: { kind: 'invalid', title: 'The command line is not valid.', help: 'See --help of this command.' },
  // configuration
  config_invalid: {
    kind: 'invalid',
    title: 'The configuration is not valid.',
    help: 'Correct the named setting; “package-r config cat” shows where each value comes from.',
  },
  config_unknown: {
    kind: 'invalid',
    title: 'The configuration has an unknown key.',
    help: 'Use the nearest name that the message gives, or remove the key.',
  },
  // identity
  unauthenticated: {
    kind: 'unauthenticated',
    title: 'You are not signed in.',
    help: 'Sign in, or send a valid API token as “Authorization: Bearer …”.',
  },
  login_failed: {
    kind: 'unauthenticated',
    title: 'The name or the password is wrong.',
    help: 'Try again, or ask an administrator to reset the password.',
  },
  share_locked: { kind: 'locked', title: 'The share is locked.', help: 'Open its page and give the password, or POST it to …/unlock.' },
  share_password_wrong: {
    kind: 'unauthenticated',
    title: 'The password of the share is wrong.',
    help: 'Ask the person who gave you the link.',
  },
  terms_not_accepted: {
    kind: 'locked',
    title: 'The terms of this share have not been accepted.',
    help: 'Read and accept them on the share page, or POST …/accept.',
  },
  forbidden: { kind: 'forbidden', title: 'You may not do this here.', help: 'Ask the owner or an administrator for the right.' },
  csrf_refused: {
    kind: 'forbidden',
    title: 'The request came from another site.',
    help: 'Send it from packageR’s own pages, or with an API token.',
  },
  // existence
  not_found: { kind: 'not_found', title: 'There is nothing here.', help: 'Check the spelling; it may also be that you may not see it.' },
  object_not_found: {
    kind: 'not_found',
    title: 'The object is not in its store.',
    help: 'Run “packages drift” to see what else is missing.',
  },
  share_not_found: {
    kind: 'not_found',
    title: 'There is no such share.',
    help: 'It may have expired or been revoked; ask the person who gave you the link.',
  },
  version_withdrawn: { kind: 'gone', title: 'This version was withdrawn.', help: 'Ask for another version; its digest stays known.' },
  object_gone: { kind: 'gone', title: 'The pinned object is gone from its store.', help: 'Ask the owner of the package.' },
  // conflicts
  exists: {
    kind: 'conflict',
    title: 'There is already one of that name.',
    help: 'Choose another name, or say what to do with “--on-conflict skip|replace|keep”.',
  },
  not_a_folder: { kind: 'conflict', title: 'A folder is needed here, but there is a file of that name.', help: 'Choose another path.' },
  path_conflict: {
    kind: 'conflict',
    title: 'A file and a folder of the same name cannot stand side by side.',
    help: 'Rename one of them.',
  },
  step_open: {
    kind: 'conflict',
    title: 'Another change of this draft is under way.',
    help: 'Wait for the job that the answer names, or cancel it.',
  },
  nothing_to_undo: {
    kind: 'conflict',
    title: 'There is no step to go to.',
    help: 'Frozen versions cannot be undone; “restore” brings one back into the draft.',
  },
  nothing_to_freeze: {
    kind: 'conflict',
    title: 'Nothing has changed since the last version.',
    help: 'Change something, or use the version that is there.',
  },
  in_use: { kind: 'conflict', title: 'It is still in use.', help: 'The message names by what; remove that first, or force it.' },
  drifted: {
    kind: 'conflict',
    title: 'The object has changed since it was put into the package.',
    help: 'The bytes of this version are no longer there; ask the owner of the package.',
  },
  last_admin: {
    kind: 'conflict',
    title: 'This is the last administrator.',
    help: 'Make another user an administrator first.',
  },
  precondition_failed: { kind: 'conflict', title: 'It changed in the meantime.', help: 'Read it again, then repeat the change.' },
  data_locked: {
    kind: 'conflict',
    title: 'Another packageR process uses this data folder.',
    help: 'Stop it, or choose another folder with --data-dir.',
  },
  idempotency_conflict: {
    kind: 'conflict',
    title: 'This idempotency key was used for another request.',
    help: 'Use a new key for a new request.',
  },
  // size, rate, time
  too_large: { kind: 'too_large', title: 'It is larger than the limit.', help: 'The message names the limit.' },
  too_many: {
    kind: 'too_large',
    title: 'There are more than the limit.',
    help: 'The message names the limit; use a job or a list on stdin.',
  },
  share_limit_reached: {
    kind: 'rate_limited',
    title: 'The limit of this share is reached for you.',
    help: 'It counts over 24 hours; try again later or ask the owner.',
  },
  url_too_long: { kind: 'too_large', title: 'The URL is too long.', help: 'Send lists in the body of a POST.' },
  headers_too_large: { kind: 'too_large', title: 'The headers are too large.', help: 'Send fewer or shorter headers.' },
  body_timeout: { kind: 'timeout', title: 'The body of the request came too slowly.', help: 'Send it again, or in smaller parts.' },
  overloaded: { kind: 'unavailable', title: 'The server has too much to do just now.', help: 'Wait as long as Retry-After says.' },
  method_not_allowed: {
    kind: 'unsupported',
    title: 'This method is not taken here.',
    help: 'The header Allow names those that are; see docs/reference/http.md.',
  },
  rate_limited: { kind: 'rate_limited', title: 'Too many requests.', help: 'Wait as long as Retry-After says.' },
  range_invalid: { kind: 'range', title: 'The asked range lies outside of the content.', help: 'Ask for a range below the size.' },
  unsupported: { kind: 'unsupported', title: 'This is not supported here.', help: 'The message says what is missing.' },
  media_type_unsupported: {
    kind: 'unsupported',
    title: 'The content type is not accepted here.',
    help: 'Send application/json, or application/x-ndjson where a list is taken.',
  },
  // stores
  source_credentials: {
    kind: 'unavailable',
    title: 'The store refused the credentials of the source.',
    help: 'Run “sources test” and update the credentials.',
  },
  source_unavailable: { kind: 'unavailable', title: 'The store does not answer.', help: 'Try again; “sources test” says more.' },
  source_down: {
    kind: 'unavailable',
    title: 'The source is marked down after repeated failures.',
    help: 'It is probed every 30 seconds; “sources test” says more.',
  },
  source_broken: {
    kind: 'unavailable',
    title: 'The source cannot be opened as it is set up.',
    help: 'Run “sources test”, then correct its options or secrets.',
  },
  upload_source_invalid: {
    kind: 'conflict',
    title: 'The upload source of the namespace takes no uploads.',
    help: 'Name another: “namespaces set NAME --upload-source SOURCE”.',
  },
  store_rate_limited: { kind: 'rate_limited', title: 'The store asks to slow down.', help: 'Try again later.' },
  store_response: {
    kind: 'unavailable',
    title: 'The store gave an answer that cannot be understood.',
    help: 'Run “sources test”; check the endpoint.',
  },
  endpoint_refused: {
    kind: 'forbidden',
    title: 'The address is not on the allow-list.',
    help: 'An administrator sees with “sources test” what to add to “endpoints.allow”.',
  },
  link_refused: {
    kind: 'forbidden',
    title: 'The link leads out of the source.',
    help: 'Links are followed only inside of the source’s folder.',
  },
  signature_invalid: {
    kind: 'forbidden',
    title: 'The signature of this temporary URL is wrong.',
    help: 'Ask the stable URL again for a new one.',
  },
  signature_expired: { kind: 'forbidden', title: 'This temporary URL has expired.', help: 'Ask the stable URL again for a new one.' },
  file_failed: {
    kind: 'unavailable',
    title: 'A file on this machine could not be read or written.',
    help: 'Check the space, the rights and the kind of the disk.',
  },
  timeout: { kind: 'timeout', title: 'It took too long.', help: 'Try again, or ask for less at once.' },
  cancelled: { kind: 'cancelled', title: 'It was cancelled.', help: 'Start it again; jobs resume where they stopped.' },
  // state and self
  state_failed: {
    kind: 'unavailable',
    title: 'The state could not be read or written.',
    help: 'Check disk space and rights of the data folder.',
  },
  state_newer: { kind: 'unavailable', title: 'The state was written by a newer packageR.', help: 'Run that version or a newer one.' },
  key_missing: {
    kind: 'unavailable',
    title: 'A sealed secret cannot be opened without its key.',
    help: 'Restore <data>/key or PACKAGE_R_KEY, or enter the secret again.',
  },
  verify_failed: {
    kind: 'internal',
    title: 'The content does not match its digest.',
    help: 'Restore from a backup; the message names what differs.',
  },
  internal: { kind: 'internal', title: 'Something went wrong in packageR.', help: 'Look into the server’s log with the request id.' },
} as const satisfies Record<string, ErrorRow>;

export type ErrorCode = keyof typeof errorTable;

import { createHash } from 'node:crypto'
import { exportJWK, generateKeyPair, type JWK } from 'jose'
import { Notices } from './account/notices.js'
import { SECTIONS } from './account/sections.js'
import { AccountVisits } from './account/visit.js'
import { Gate, type GateLimits } from './admission/gate.js'
import { Activations } from './activation/activations.js'
import { ApprovalNotices } from './activation/approval-notices.js'
import { ApprovalRequests } from './activation/approval-requests.js'
import { SignatureHistory } from './activation/history.js'
import { createApp } from './app.js'
import { auditEvent } from './audit/events.js'
import { boundedHttp, type BoundedHttp } from './certificates/bounded-http.js'
import { EmbeddedAuthority } from './certificates/embedded/embedded-authority.js'
import { configuredProfiles } from './certificates/configured-profiles.js'
import { OcspResponder } from './certificates/ocsp/responder.js'
import { OwnRevocation } from './certificates/own-revocation.js'
import { RevocationLists } from './certificates/revocation-lists.js'
import { openIssuer } from './certificates/connectors/open-issuer.js'
import { ForeignCertificates } from './certificates/foreign-certificates.js'
import { EarlierCertificates } from './certificates/earlier-certificates.js'
import { openValidation } from './certificates/open-validation.js'
import { ServiceKeys } from './certificates/service-keys.js'
import type { Config } from './config/schema.js'
import { DOCUMENT_PATHS, POLL_PATHS } from './csc/index.js'
import { CertificateRequests } from './credentials/certificate-requests.js'
import { Credentials } from './credentials/credentials.js'
import { ManagedCredentials } from './credentials/managed-credentials.js'
import type { ProofSources } from './documents/ades.js'
import { Deposits } from './documents/deposits.js'
import { DocumentViews } from './documents/display/document-views.js'
import { DocumentReferences } from './documents/document-references.js'
import { Documents } from './documents/documents.js'
import { Departure } from './http/departure.js'
import { DpopNonces } from './http/dpop-nonces.js'
import { Entrance, gateLimits, pageGateLimits, pkiGateLimits } from './http/overload.js'
import { Accounts } from './identity/accounts.js'
import { Enrolment } from './identity/enrolment.js'
import { IdBb } from './identity/id-bb.js'
import { Identities } from './identity/identities.js'
import { openMail } from './identity/mail.js'
import { tracedFetch } from './identity/limited-fetch.js'
import { limitPasswordsWaiting } from './identity/password.js'
import { Passkeys } from './identity/passkeys.js'
import { SentCodes } from './identity/sent-codes.js'
import { SigningFactors } from './identity/signing-factors.js'
import { openSms } from './identity/sms.js'
import { IsolatedProcesses, type IsolationLimits } from './isolation/isolated-processes.js'
import { verifyDigest } from './keys/digest-verifier.js'
import type { KeyCustody } from './keys/key-custody.js'
import { KeyPool } from './keys/key-pool.js'
import type { Ended } from './keys/pkcs11/session-pool.js'
import { KeyRegister } from './keys/key-register.js'
import type { KeyProcessCustody } from './keys/process/client.js'
import type { KeyProcessAddress } from './keys/process/protocol.js'
import {
  connectKeyProcess,
  startKeyProcess,
  type KeyProcess,
  type TokenState,
} from './keys/process/supervisor.js'
import { DocumentPages } from './oauth/document-pages.js'
import { IssuedAccessTokens } from './oauth/access-tokens.js'
import { GrantedAccess } from './oauth/granted-access.js'
import { IdentityRequests } from './oauth/identity-requests.js'
import { IdentitySteps } from './oauth/identity-steps.js'
import { PageRenderer } from './oauth/page-renderer.js'
import { PasswordSignIn } from './oauth/password-sign-in.js'
import { createProvider } from './oauth/provider.js'
import { countOAuthRefusals } from './oauth/refusal-figures.js'
import { SignerSessions } from './oauth/signer-sessions.js'
import { TokenRevocation } from './oauth/token-revocation.js'
import { openRecords, type Records } from './records.js'
import { readiness } from './observability/health.js'
import { createLogger, type Logger } from './observability/logger.js'
import { tokenLoads, type Metrics } from './observability/metrics.js'
import { openObservation, type Observation } from './observability/observation.js'
import type { Tracing } from './observability/tracing.js'
import { Announcements } from './signing/announcements.js'
import { DocumentJobs } from './signing/document-jobs.js'
import { publicPost, type PublicPost } from './signing/public-post.js'
import { Signing } from './signing/signing.js'
import { SigningJobs } from './signing/signing-jobs.js'
import { DatabaseActivationStore } from './storage/activation-store.js'
import { DatabaseApprovalRequestStore } from './storage/approval-request-store.js'
import { DatabaseAuthorityStore } from './storage/authority-store.js'
import { DatabaseCertificateRequestStore } from './storage/certificate-request-store.js'
import { DatabaseIssuedCertificateStore } from './storage/issued-certificate-store.js'
import { DatabaseDepositStore } from './storage/deposit-store.js'
import { ExpiredRows } from './storage/expired-rows.js'
import { Lease } from './storage/lease.js'
import { DatabaseHistoryStore } from './storage/history-store.js'
import { DatabaseKeyStore } from './storage/key-store.js'
import { DatabaseNoticeStore } from './storage/notice-store.js'
import { DatabaseOAuthRecordStore } from './storage/oauth-record-store.js'
import { DatabasePasskeyStore } from './storage/passkey-store.js'
import { DatabaseSentCodeStore } from './storage/sent-code-store.js'
import { DatabaseThrottle } from './storage/throttle-store.js'
import { openLedger } from './storage/open-ledger.js'
import { DatabaseTransactionStore } from './storage/transaction-store.js'
import type { ClockState } from './timestamping/clock.js'
import { openTimestamping } from './timestamping/open-timestamping.js'
import type { TimestampSource } from './timestamping/timestamp-source.js'
import { Transactions } from './transactions/transactions.js'
import { configuredPolicies } from './verification/configured-policies.js'
import { Verification } from './verification/verification.js'
import { VERIFICATION_PATH } from './verify/verification-endpoint.js'

/** What a test may put in the place of the real thing. */
export interface Overrides {
  readonly now?: () => Date
  readonly custody?: KeyCustody
  /** A key process that somebody else keeps running. */
  readonly keyProcess?: KeyProcessAddress
  /** One that becomes ours: it was begun while this was still being loaded. */
  readonly begun?: Promise<KeyProcess>
  readonly logger?: Logger
  readonly post?: PublicPost
  /** By which documents are fetched. */
  readonly documentHttp?: BoundedHttp
  /** Formats, and where timestamps and validation data come from. */
  readonly documents?: Partial<
    Pick<ConstructorParameters<typeof Documents>[0], 'formats' | 'proofs'>
  >
  /** What drawing one document may take. */
  readonly drawing?: Partial<IsolationLimits>
}

type People = ReturnType<typeof openPeople>
export type Services = Awaited<ReturnType<typeof openServices>>

/** Everything, opened in order: the database, the token, the authority, the rules on top. */
export async function openServices(config: Config, overrides: Overrides = {}) {
  const observation = await openObservation(config)
  const { tracing } = observation
  const logger = overrides.logger ?? createLogger(config.log.level, tracing)
  // It starts while the database is opened.
  const opening = openKeys(config, overrides, { logger, ended: endedIn(observation) })
  opening.catch(() => undefined) // it may fail before it is awaited below
  const records = await openRecords(config, { ...overrides, observation, logger }).catch(
    closeFirst(opening),
  )
  const keys = await opening.catch(closeFirst(records))
  return assemble({ observation, logger, records, keys }, overrides).catch(async (error) => {
    await keys.close()
    return closeFirst(records)(error)
  })
}

/** The rules and the façades, on what is open. */
async function assemble(
  parts: { observation: Observation; logger: Logger; records: Records; keys: Keys },
  overrides: Overrides,
) {
  const { observation, logger, records, keys } = parts
  const { metrics, tracing, steps } = observation
  const { config } = records
  const { custody } = keys
  const register = openRegister(records, custody, logger)
  const verify = keys.verifies ? null : verifyDigest
  const pki = await openAuthority(records, register, { verify, metrics })
  const { authority, revocationLists, ocspResponder } = pki
  const { credentials, certificateRequests, keyPool } = openCredentials(
    ...([records, register, authority] as const),
  )
  const people = openPeople(records, tracing)
  const rules = openRules(records, people, { ...keys, ...observation })
  const { now, secrets, database, audit, users, clients } = records
  const { accounts, enrolment, mail, sentCodes, passkeys, factors } = people
  const { transactions, activations, approvals, approvalSeconds } = rules
  const { baseUrl, lifetimes, limits } = config
  const signing = new Signing({
    ...{ custody, activations, logger, steps, verify },
    sessions: credentials,
  })
  const signingKey = await oauthSigningKey(records)
  const announcements = new Announcements({
    ...{ secrets, signingKey, now },
    store: rules.activationStore,
    post: overrides.post ?? publicPost(),
  })
  const signingJobs = new SigningJobs({ activations, signing, secrets, logger, announcements })
  const timestamping = openTimestamping(config, {
    ...{ now, logger, elapsed: elapsedBeside(overrides) },
    signer: () => pki.serviceKeys.open('tsa'),
    onClock: (state) => noteClock(state, records, logger),
    append: (event) => audit.append(event),
    observer: metrics,
  })
  const { source: timestamps } = timestamping
  const validation = openValidation(config, {
    ...{ now, own: pki.ownRevocation },
    root: authority.rootCertificate,
  })
  const documentSigning = new Documents({
    ...{
      now,
      proofs: {
        timestamp: timestamps && timestampWith(timestamps),
        validationData: (certificates) => validation.source.validationData(certificates),
      },
    },
    ...(overrides.documents ?? {}),
  })
  const documentReferences = new DocumentReferences({
    http: overrides.documentHttp ?? boundedHttp({ timeoutMs: DOCUMENT_TIMEOUT_MS }),
    hosts: config.policy.documentHosts,
    mostBytes: limits.documentBytes,
  })
  const documentJobs = new DocumentJobs({
    ...{ activations, signing, signingJobs, secrets, logger },
    documents: documentSigning,
    store: rules.activationStore,
  })
  const oauthRecords = new DatabaseOAuthRecordStore(database)
  const tokens = new IssuedAccessTokens({ records: oauthRecords, secrets, now })
  const pages = new PageRenderer({ clients, defaultLanguage: config.service.lang })
  const cookieKeys = [secrets.derive('cookies').toString('base64url')]
  const nonceSecret = config.policy.dpopNonce === 'always' ? secrets.derive('dpop nonces') : null
  const provider = createProvider({
    ...{ config, clients, accounts, secrets, cookieKeys, pages, logger, now },
    records: oauthRecords,
    signingKey,
    dpopNonceSecret: nonceSecret,
    credentialOf: (authorisationId) => activations.credentialOf(authorisationId),
    isOpen: (authorisationId) => activations.isOpen(authorisationId),
  })
  countOAuthRefusals(provider, metrics)
  const identities = new Identities({
    ...{ accounts, secrets, audit, now },
    store: records.identityStore,
  })
  const identity = new IdentitySteps({
    ...{ pages, audit, now, identities },
    providers: await Promise.all(
      config.identityProviders.map((settings) =>
        IdBb.open(settings, { baseUrl, now, fetch: tracedFetch(tracing) }),
      ),
    ),
    requests: new IdentityRequests({
      ...{ records: oauthRecords, secrets, now },
      lifetimeSeconds: lifetimes.interactionSeconds,
    }),
  })
  const sessions = new SignerSessions({ provider, baseUrl })
  const departure = new Departure()
  const entrance = new Entrance(
    {
      ...config.overload,
      ...limits,
      documentPaths: new Set([...DOCUMENT_PATHS, VERIFICATION_PATH]),
      pollPaths: new Set(POLL_PATHS),
    },
    metrics,
  )
  const passwords = limitPasswordsWaiting(config.overload.passwordsWaiting, metrics)
  const gate = new Gate('work', gateLimits(config.overload), metrics)
  const pageGate = new Gate('pages', pageGateLimits(config.overload), metrics)
  const pkiGate = new Gate('pki', pkiGateLimits(config.overload), metrics)
  const verificationGate = new Gate('verification', verificationGateLimits(config), metrics)
  const gates = () => [
    ...[entrance.load, gate.load, pageGate.load, pkiGate.load, verificationGate.load, passwords()],
    ...[
      { ...examining.load, gate: 'examining' },
      { ...drawing.load, gate: 'drawing' },
    ],
  ]
  metrics.watch({
    gates,
    auditHead: () => audit.knownHead()?.seq ?? null,
    timestampClock: () => timestamping.isClockSure(),
    revocationLists: () => revocationLists.validUntil,
    keyPool: () => keyPool.levels,
    keyProcess: () => keys.process?.state ?? null,
    tokens: () => (keys.tokenState ? tokenLoads(config.hsm.tokenLabel, keys.tokenState()) : []),
  })
  const noticeStore = new DatabaseNoticeStore(database)
  metrics.watch({
    async backlogs() {
      const [head, cursor] = [await noticeStore.head(), await noticeStore.cursor()]
      return [
        { queue: 'notices', waiting: cursor === null ? 0 : head - cursor },
        { queue: 'announcements', waiting: await announcements.waiting() },
      ]
    },
  })
  const notices = new Notices({
    ...{ users, clients, logger, now },
    store: noticeStore,
    credentials: records.credentialStore,
    mail: config.mail && config.notices.mail ? mail : null,
    service: { ...config.service, baseUrl },
  })
  const managedCredentials = new ManagedCredentials({
    ...{ credentials, accounts, passkeys, identities },
    ...{ throttle: people.throttle, now },
    policy: config.newCredentials,
    certificatePolicy: config.certificateAuthority.profiles.signer.policyOid ?? null,
    oneTimePolicy: config.certificateAuthority.profiles.oneTime.policyOid ?? null,
    decideWithinSeconds: lifetimes.interactionSeconds,
  })
  const { keepSeconds, perApplication, bytesPerApplication } = config.deposits
  const deposits = new Deposits({
    ...{ secrets, now, keepSeconds, documentBytes: limits.documentBytes },
    store: new DatabaseDepositStore(database),
    limits: { documents: perApplication, bytes: bytesPerApplication },
  })
  const drawing = new IsolatedProcesses({ ...overrides.drawing, addons: true })
  const examining = new IsolatedProcesses(examinationLimits(config))
  const verification = new Verification({
    ...{ isolated: examining, now, anchors: () => validation.anchors },
    policies: configuredPolicies(config),
    source: { validationData: (certificates) => validation.source.whatThereIs(certificates) },
  })
  const views = new DocumentViews({ isolated: drawing })
  const documentPages = new DocumentPages({ deposits, views, pages })
  const checks = {
    leaving: () => departure.announced,
    hsm: () => register.ready(),
    database: async () =>
      (await records.installation.get('oauth-signing-key')) !== null && (await records.canWrite()),
  }
  metrics.watch({ readiness: () => readiness(checks) })
  const app = createApp({
    ...{ provider, logger, cookieKeys, entrance, pageGate, metrics, tracing },
    timestampAuthority: config.timestamping.endpoint ? timestamping.authority : null,
    publication: {
      ...{ responder: ocspResponder, lists: revocationLists, now, logger, gate: pkiGate },
      certificates: { root: authority.rootCertificate, issuing: authority.issuingCertificate },
    },
    interactions: {
      ...{ provider, pages, clients, accounts, credentials, factors, transactions, activations },
      ...{ sentCodes, enrolment, passkeys, identity, audit, now, managedCredentials },
      documents: documentPages,
      ...{ approvalSeconds, baseUrl, formBytes: limits.formBytes },
      signInWindowSeconds: limits.signInWindowSeconds,
    },
    account: {
      ...{ pages, users, accounts, clients, credentials, transactions, activations, approvals },
      ...{ factors, sentCodes, enrolment, passkeys, audit, now, events: notices },
      documents: documentPages,
      ...{ approvalSeconds, baseUrl, formBytes: limits.formBytes },
      serviceName: config.service.name,
      access: new GrantedAccess({
        ...{ records: oauthRecords, secrets, now },
        sessionSeconds: lifetimes.sessionSeconds,
      }),
      history: new SignatureHistory({ store: new DatabaseHistoryStore(database), now }),
      visits: new AccountVisits({
        ...{ sessions, accounts, passkeys, pages, now, baseUrl },
        identities: identity.identities,
        navigation: SECTIONS,
      }),
    },
    csc: {
      ...{ config, credentials, transactions, activations, approvals, signing, signingJobs },
      ...{ documents: documentSigning, documentReferences, documentJobs, timestamps },
      ...{ tokens, accounts, clients, factors, sentCodes, managedCredentials, departure, now },
      ...{ gate, metrics, deposits },
      dpopNonces: nonceSecret && new DpopNonces(nonceSecret),
      revocation: new TokenRevocation({ records: oauthRecords, secrets, audit, now }),
      passwordSignIn: new PasswordSignIn({
        ...{ provider, accounts, audit, lifetimes, baseUrl },
        clientId: config.policy.authLogin?.client ?? null,
      }),
    },
    verify: config.verification.enabled
      ? {
          ...{ verification, gate: verificationGate, pages, limits, logger },
          defaultLanguage: config.service.lang,
        }
      : null,
    checks,
  })
  return {
    ...records,
    ...{ ...pki, timestamping, validation, certificateRequests },
    ...{ app, logger, custody, credentials, accounts, passkeys, factors, sentCodes },
    ...{ transactions, activations, approvals, signing, announcements, documentJobs },
    ...{ oauthRecords, notices },
    ...{ deposits, verification },
    expiredRows: new ExpiredRows(database),
    choresLease: new Lease({
      ...{ database, now, elapsed: elapsedBeside(overrides) },
      ...{ name: 'chores', seconds: CHORES_LEASE_SECONDS },
    }),
    ...{ departure, metrics, tracing, gates, register, keyPool, keys },
    async close() {
      await Promise.all([signingJobs.settled(), documentJobs.settled()])
      await timestamping.close()
      await Promise.all([drawing.close(), examining.close()])
      await keys.close()
      await records.close()
      await tracing.close()
    },
  }
}

function examinationLimits({ verification }: Config) {
  const { documentsAtOnce: processes, seconds, memoryMegabytes } = verification
  const heapMegabytes = Math.ceil(memoryMegabytes / 4)
  return { processes, seconds, memoryMegabytes, heapMegabytes }
}

/** One address has a document looked at and few waiting, and leaves the rest to others. */
function verificationGateLimits({ verification }: Config): GateLimits {
  const { documentsAtOnce: atOnce, waiting, waitingPerAddress: waitingEach } = verification
  const atOnceEach = Math.max(1, atOnce - 1)
  const patienceSeconds = 2 * verification.seconds
  return { atOnce, atOnceEach, waiting, waitingEach, patienceSeconds, resting: 0, restingEach: 0 }
}

/** Nobody sets this one: by it a clock that was set is noticed. A clock for tests is moved on, not set. */
function elapsedBeside({ now }: Overrides): () => number {
  return now ? () => now().getTime() : () => performance.now()
}

function timestampWith(source: TimestampSource): ProofSources['timestamp'] {
  return (digest, hash) => source.timestamp(digest, hash)
}

/** Why there are no timestamps belongs to the records of a timestamping authority (EN 319 421, 7.11). */
function noteClock(state: ClockState, { audit }: Records, logger: Logger): void {
  const event = state.sure
    ? auditEvent('timestamping.resumed', {})
    : auditEvent('timestamping.stopped', { why: state.why })
  audit.append(event).catch((error: unknown) => {
    logger.error({ err: error }, 'what the clock did is not on record')
  })
}

/** What is made in the token goes through here: it is on record before it is there. */
function openRegister({ database, now }: Records, custody: KeyCustody, logger: Logger) {
  const store = new DatabaseKeyStore(database)
  return new KeyRegister({
    ...{ custody, store, now },
    alarm: (message, cause) => logger.error({ alarm: 'keys', err: cause }, message),
  })
}

/** The authority of this installation, and what it says of its certificates. */
async function openAuthority(
  { config, now, database, audit }: Records,
  custody: KeyRegister,
  { verify, metrics }: { verify: typeof verifyDigest | null; metrics: Metrics },
) {
  const { organization, country, keys, expiredInLists } = config.certificateAuthority
  const issued = new DatabaseIssuedCertificateStore(database)
  const profiles = configuredProfiles(config.certificateAuthority)
  const issuedBy = {
    ...{ custody, now, store: new DatabaseAuthorityStore(database) },
    subject: { organization, country },
  }
  const authority = await EmbeddedAuthority.open({
    ...{ ...issuedBy, issued },
    publicationUrl: config.certificateAuthority.publicationUrl ?? config.baseUrl,
    keys,
  })
  const serviceKeys = new ServiceKeys({
    ...{ ...issuedBy, authority, issued, verify, keys },
    profiles,
  })
  const foreignCertificates = new ForeignCertificates({
    ...{ authority, issued, profiles, now },
    append: (...events) => audit.append(...events),
  })
  const { root, issuing } = authority
  const revocationLists = new RevocationLists({
    ...{ store: issued, custody, now, verify },
    authorities: { root, issuing },
    keepsExpired: expiredInLists,
  })
  const ocspResponder = new OcspResponder({
    ...{ issued, keys: serviceKeys, now, observer: metrics },
    issuer: issuing.certificate,
  })
  const ownRevocation = new OwnRevocation({
    ...{ responder: ocspResponder, lists: revocationLists },
    ...{ root: root.certificate, issuing: issuing.certificate },
  })
  const earlierCertificates = new EarlierCertificates({
    ...{ store: issued, now },
    issuer: issuing.certificate,
  })
  const published = { revocationLists, ocspResponder, ownRevocation }
  return { authority, serviceKeys, ...published, earlierCertificates, foreignCertificates }
}

/** The credentials of people, certified by that authority. */
function openCredentials(records: Records, custody: KeyRegister, embedded: EmbeddedAuthority) {
  const { config, now, secrets, database, audit, credentialStore } = records
  const {
    algorithm,
    keysAhead: wanted,
    custody: keptIn = config.hsm.custody,
  } = config.newCredentials
  const keyPool = new KeyPool({
    register: custody,
    kinds: [{ algorithm, wanted, custody: keptIn }],
  })
  const certificateRequests = new CertificateRequests({
    ...{ custody, secrets, now, keptIn: config.hsm.custody },
    store: new DatabaseCertificateRequestStore(database),
  })
  const authority = openIssuer(config.certificateAuthority.issuer, embedded, { custody, now })
  const credentials = new Credentials({
    ...{ custody, authority, secrets, audit, now },
    keptIn: config.hsm.custody,
    pool: keyPool,
    store: credentialStore,
    profiles: configuredProfiles(config.certificateAuthority),
  })
  return { credentials, certificateRequests, keyPool }
}

/** Who people are, and how they prove it. */
function openPeople(records: Records, tracing: Tracing) {
  const { config, now, secrets, database, audit, users } = records
  const { limits } = config
  const throttle = new DatabaseThrottle(database, now)
  const accounts = new Accounts({ users, throttle, audit, now, limits })
  const enrolment = new Enrolment({
    ...{ accounts, throttle, secrets, audit, now, limits },
    store: records.enrolmentStore,
  })
  const mail = openMail(config)
  const sentCodes = new SentCodes({
    ...{ throttle, secrets, audit, now, limits, mail },
    store: new DatabaseSentCodeStore(database),
    sms: openSms(config, tracedFetch(tracing)),
  })
  const passkeys = new Passkeys({
    ...{ accounts, secrets, audit, now },
    store: new DatabasePasskeyStore(database),
    baseUrl: config.baseUrl,
    serviceName: config.service.name,
    lifetimeSeconds: config.lifetimes.interactionSeconds,
  })
  const factors = new SigningFactors({
    ...{ accounts, sentCodes, audit, now, limits },
    guesses: records.credentialStore,
  })
  return { throttle, accounts, enrolment, mail, sentCodes, passkeys, factors }
}

/** What may be signed, and what people agreed to. */
function openRules(
  records: Records,
  { throttle, accounts, mail }: Pick<People, 'throttle' | 'accounts' | 'mail'>,
  { nameOperation, metrics, steps }: Keys & Observation,
) {
  const { config, now, database, audit, clients } = records
  const { lifetimes, limits } = config
  const { sadSeconds } = config.policy
  const approvalSeconds = lifetimes.authorizationCodeSeconds + lifetimes.credentialTokenSeconds
  const transactions = new Transactions({
    store: new DatabaseTransactionStore(database),
    now,
    decideWithinSeconds: lifetimes.interactionSeconds,
  })
  const activationStore = new DatabaseActivationStore(database)
  const activations = new Activations({
    ...{ now, sadSeconds, steps },
    ...{ binder: records.secrets, unboundUntil: records.unboundUntil },
    count: (state, digests) => metrics.ledger(state, digests),
    store: activationStore,
    lifetimeSeconds: approvalSeconds,
    reservationSeconds: config.hsm.signTimeoutSeconds + RESERVATION_MARGIN_SECONDS,
    ...(nameOperation ? { nameOperation } : {}),
  })
  const approvals = new ApprovalRequests({
    ...{ throttle, audit, now, limits, approvalSeconds, sadSeconds },
    store: new DatabaseApprovalRequestStore(database),
    notices: new ApprovalNotices({
      ...{ throttle, accounts, clients, audit, mail },
      ...{ baseUrl: config.baseUrl, defaultLanguage: config.service.lang },
    }),
  })
  return { transactions, activationStore, activations, approvals, approvalSeconds }
}

/** For a document that an application names instead of sending it. */
const DOCUMENT_TIMEOUT_MS = 10_000

/** So long nobody does the chores after a process that did them was killed. */
const CHORES_LEASE_SECONDS = 15

/** A reservation outlives the longest HSM call by this, so that only the dead are swept up. */
const RESERVATION_MARGIN_SECONDS = 10

/** Lets go of what is open before failing: a thread or process left behind would keep us alive. */
function closeFirst(open: Closeable | Promise<Closeable>) {
  return async (error: unknown): Promise<never> => {
    await Promise.resolve(open).then(
      (opened) => opened.close(),
      () => undefined,
    )
    throw error
  }
}

interface Closeable {
  close(): Promise<void>
}

interface Keys extends Closeable {
  readonly custody: KeyCustody
  /** Whether it lets out no signature that was not verified. */
  readonly verifies: boolean
  /** Where it wants to name what it will sign. */
  readonly nameOperation?: () => string
  /** For metrics, where it is known here. */
  readonly tokenState?: () => TokenState
  /** How the key process does, for metrics: the one that is ours, and our calls to whichever it is. */
  readonly process?: KeyProcess
  readonly client?: KeyProcessCustody
}

/** Where it is told what calls to the token took. */
function endedIn({ metrics, tracing }: Observation): Ended {
  return (what, seconds, ago) => {
    tracing.ended(what, seconds, ago)
    if (what === 'C_Sign') metrics.step(what, seconds)
  }
}

/** The keys of a key process, ours or one that runs already, or those of the token itself. */
async function openKeys(
  config: Config,
  overrides: Overrides,
  { logger, ended }: { logger: Logger; ended: Ended },
): Promise<Keys> {
  if (overrides.custody) {
    const { custody } = overrides
    return { custody, verifies: false, close: () => custody.close() }
  }
  if (config.hsm.isolation === 'none') return openTokenHere(config, logger, ended)
  const begun = () => overrides.begun ?? startKeyProcess(config, { logger })
  const keyProcess = overrides.keyProcess ? null : await begun()
  const address = overrides.keyProcess ?? keyProcess
  if (!address) throw new Error('There is no key process')
  const custody = await connectKeyProcess(address, config, ended).catch(async (error: unknown) => {
    await keyProcess?.stop()
    throw error
  })
  const { nameOperation } = custody
  return {
    ...{ custody, client: custody, verifies: true, nameOperation },
    ...(keyProcess ? { process: keyProcess, tokenState: () => keyProcess.state.token } : {}),
    async close() {
      await custody.close()
      await keyProcess?.stop()
    },
  }
}

/** The library is loaded only by processes that use it themselves. */
async function openTokenHere(config: Config, logger: Logger, ended: Ended): Promise<Keys> {
  const { openCustody } = await import('./keys/open-custody.js')
  const alarm = (message: string, cause: unknown) => {
    logger.error({ alarm: 'token', err: cause }, message)
  }
  const wrappedKeys = await openLedger(config.database)
  const custody = await openCustody(...([config, alarm, wrappedKeys] as const), ended, (token) =>
    logger.info({ found: token }, 'token opened'),
  ).catch(closeFirst(wrappedKeys))
  return {
    ...{ custody, verifies: false, tokenState: () => custody.state },
    async close() {
      await custody.close()
      await wrappedKeys.close()
    },
  }
}

/** The authorization server's own key, for the metadata it publishes; made once and kept sealed. */
async function oauthSigningKey(records: Pick<Records, 'installation' | 'secrets'>): Promise<JWK> {
  const { installation, secrets } = records
  const name = 'oauth-signing-key'
  const stored = await installation.get(name)
  if (stored !== null) return JSON.parse(secrets.unseal(name, stored)) as JWK
  const { privateKey } = await generateKeyPair('ES256', { extractable: true })
  const key = { ...(await exportJWK(privateKey)), use: 'sig', alg: 'ES256' }
  const kid = createHash('sha256').update(JSON.stringify(key.x)).digest('base64url').slice(0, 16)
  await installation.set(name, secrets.seal(name, JSON.stringify({ ...key, kid })))
  return oauthSigningKey(records)
}

/** Puts the start of the process on record, with what it was configured to do. */
export async function recordStart(services: Services, version: string): Promise<void> {
  const { config, audit } = services
  const sha256 = createHash('sha256').update(JSON.stringify(config)).digest('hex')
  await audit.append(
    auditEvent('service.started', { version, pid: process.pid, baseUrl: config.baseUrl }),
    auditEvent('configuration.loaded', { sha256 }),
  )
}

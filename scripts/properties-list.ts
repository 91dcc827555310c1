/** A property, and what of it no test of the suite shows, if anything. */
interface Property {
  readonly text: string
  readonly open?: string
}

/** By number; the first place stays empty. */
export const PROPERTIES: readonly (Property | null)[] = [
  null,
  {
    text: 'A signature exists only for a digest the signer agreed to; one foreign digest in a batch, and nothing is signed.',
  },
  { text: 'That holds under parallel calls and on several servers.' },
  {
    text: 'What the token signs are the agreed bytes; every signature is verified before it leaves.',
  },
  { text: 'An approval is good for one person, one application and one credential.' },
  {
    text: 'Hash and signature algorithm are fixed by approval and credential, and must agree with each other.',
  },
  { text: 'Never more signatures than were agreed to; an unknown outcome counts as used.' },
  {
    text: 'A SAD ends with its count, its time, its extension, its revocation and its credential, judged at the moment of signing.',
  },
  { text: 'Everything that may be used once is used up by one conditional write.' },
  {
    text: 'An extended SAD is for what is left, needs new digests at SCAL 2, and ends the old one with it.',
  },
  { text: 'At SCAL 2 nothing is authorised without digests, whichever way it is asked.' },
  { text: 'Activation values have 128 random bits at least and are stored only as hashes.' },
  {
    text: 'The signer agrees by an explicit act to exactly what is shown: who asks, what, how many, until when.',
  },
  {
    text: 'Where authentication rests on identity proofing, the signing session ends soon after it and has one SAD.',
    open: 'There are no sessions that rest on identity proofing; credentials for one session are (S14).',
  },
  {
    text: 'A one-time key serves one session and is destroyed after it, whatever happens.',
    open: 'A process that is killed while a session is under way; keys in general are at S96.',
  },
  {
    text: 'Nothing is signed with a certificate that is expired, revoked, suspended or not yet valid; revocation destroys the key.',
  },
  { text: 'The subject of a certificate is the person who was identified.' },
  {
    text: 'The link between person, factor, credential and key is protected at rest: a changed one is refused.',
  },
  { text: 'A key that was destroyed stays so, also after a backup is restored.' },
  {
    text: 'Results and handles that are fetched later are unguessable, their owner’s alone, and run out.',
  },
  { text: 'Wrong codes and PINs are limited by one atomic counter for each credential.' },
  { text: 'A one-time code works once; accepted time steps only move forward.' },
  { text: 'A code or approval is bound to the digests it was given for.' },
  { text: 'Codes sent out of band are random, short-lived, stored hashed and go nowhere else.' },
  { text: 'Strangers cannot lock people out cheaply, nor learn who has an account.' },
  {
    text: 'Signing from the signer’s own device: fresh challenges, bound to digests and origin; cloned devices are noticed.',
  },
  {
    text: 'What an identity provider says is checked claim by claim; people are known by issuer and subject.',
  },
  { text: 'Where authentication is delegated, only the named party’s word counts.' },
  {
    text: 'Signing in gives a new session; sessions end in time; disabling an account ends sessions, grants and SADs at once.',
  },
  { text: 'Factors are replaced only with the assurance of enrolment, which ends open approvals.' },
  { text: 'An authorization code gives tokens once; a second use takes them back.' },
  { text: 'A client assertion and a DPoP proof work once.' },
  { text: 'PKCE with S256 is mandatory, without a way down.' },
  { text: 'A redirect URI matches a registered one exactly.' },
  {
    text: 'Codes live a minute at most; pushed requests work once, for their client, and briefly.',
  },
  {
    text: 'Where it is demanded, signatures are asked for by pushed requests alone; unknown details are refused; granted is what was shown.',
  },
  { text: 'Every authorization response says who it is from.' },
  {
    text: 'DPoP proofs are checked in every respect at every endpoint; a bound token is nothing without one.',
  },
  {
    text: 'Tokens bound to a TLS certificate are good with it alone; its header is believed from the configured proxy only.',
  },
  { text: 'Kinds of token are kept apart: each opens its own methods and no others.' },
  { text: 'Tokens of another kind, server or audience are refused by the API.' },
  { text: 'Every JWT is read with its own list of algorithms, and no key of its own choosing.' },
  { text: 'An account_token is HS256, fresh, its client’s, and works once.' },
  {
    text: 'Clients authenticate one way, strictly decoded, with the issuer as audience of assertions.',
  },
  {
    text: 'Revoking a refresh token or grant ends its tokens and SADs everywhere, also for calls under way.',
  },
  { text: 'Three grants only; refresh tokens rotate, end absolutely, and show their reuse.' },
  { text: 'Forms resist forgery by other sites; an approval belongs to one browser session.' },
  { text: 'Pages cannot be framed, scripted, cached or indexed, and load nothing from elsewhere.' },
  { text: 'Nobody is redirected where nothing was registered.' },
  { text: 'What applications write is shown as harmless, bounded text.' },
  { text: 'No other origin reads pages; only what is meant for other origins has CORS.' },
  { text: 'Base URL and issuer come from the configuration, never from a request.' },
  { text: 'Production does not start with sandbox data, samples or in-memory storage.' },
  { text: 'Parameters that come twice or contradict one another are refused.' },
  { text: 'Bodies, lists and nesting are capped while they are read.' },
  { text: 'Compression never multiplies work.' },
  { text: 'Types are strict: nothing is coerced, and nothing pollutes prototypes.' },
  { text: 'Digests are strict Base64 of exactly the length of their algorithm.' },
  { text: 'Weak hashes, algorithms and keys are refused by a dated policy.' },
  { text: 'Raw RSA is out of reach; keys list the mechanisms they allow.' },
  { text: 'Outbound calls go only where they may, with limits on time and size.' },
  { text: 'XML is read without DTDs and entities, and signatures cover what is used.' },
  {
    text: 'Documents are signed as the very bytes that were agreed to; PDFs by one incremental update.',
  },
  { text: 'Documents that can change their looks after signing are refused or flagged.' },
  { text: 'Hostile documents and certificates never crash, hang or bloat the process.' },
  { text: 'Foreign signatures and chains meet a strict verifier.' },
  { text: 'What is another tenant’s looks like what is not there.' },
  { text: 'Errors show nothing of the inside and use the API’s own words.' },
  {
    text: 'Rates are limited for clients, people, credentials and addresses; nobody starves others.',
  },
  {
    text: 'A lost answer is not a lost signature: the same request with the same key gets the same answer.',
  },
  { text: 'No signature leaves before its audit record is on disk.' },
  { text: 'The intent is on record before the token is asked, and every intent ends.' },
  { text: 'Committed means written to disk, on every connection.' },
  {
    text: 'An acknowledged write is not undone by another’s rollback, and nobody reads what is not committed.',
  },
  {
    text: 'No wait for token, network or person inside a database transaction; a busy database is survived.',
  },
  { text: 'Work in queues has leases: who slept past one publishes nothing.' },
  { text: 'Replicas decide by the primary database alone.' },
  { text: 'A restored database revives nothing that was spent.' },
  { text: 'Audit records form a chain: change, deletion, insertion, reordering and cutting show.' },
  {
    text: 'What matters is on record: starts, changes, sign-ins, keys, signatures, refusals.',
    open: 'That each event of the list is recorded when it happens: many tests look at some of them.',
  },
  { text: 'When the log cannot be written, signing stops, and resumes when it can.' },
  { text: 'Secrets reach no log, error, page or plain database column.' },
  { text: 'Log text cannot be forged by input.' },
  {
    text: 'Records survive for years and can be exported with proof.',
    open: 'Years. The service removes no audit record; backups are the operator’s.',
  },
  {
    text: 'Time is watched: a step of the clock prolongs nothing and breaks no chain.',
    open: 'Steps of the clock under load: `npm run chaos`. Whether something expired is judged by the clock as it stands: a step back prolongs what was about to expire.',
  },
  { text: 'Private keys have exactly the attributes that were demanded.' },
  { text: 'Wrapped keys are bound to credential and user, under a key that never leaves.' },
  {
    text: 'Unwrapped and one-time keys are destroyed in every path.',
    open: 'Ten thousand signatures: `OPENRSSP_TEST_SIGNATURES=10000`, of which CI makes 300.',
  },
  { text: 'The PKCS#11 library is initialised once, with locking.' },
  { text: 'A session serves one operation at a time.' },
  { text: 'After an error a session is closed, never used again.' },
  { text: 'The loss of the device is survived without a wrong signature and without a restart.' },
  { text: 'Error codes are recognised in every shape the binding throws.' },
  { text: 'A wrong PIN is tried once, then everything stops.' },
  { text: 'A call that never returns holds up nobody else.' },
  {
    text: 'Shutting down waits for calls under way, then closes in order.',
    open: 'Fifty times under load: `OPENRSSP_TEST_TERMINATIONS=50`, of which CI does two.',
  },
  { text: 'Making a key survives a kill: nothing half made is used.' },
  { text: 'Keys are looked up by one exact name.' },
  { text: 'Keys and nonces are sound: no duplicates, no bias.' },
  { text: 'Encodings of signatures are right for every key and scheme.' },
  { text: 'What a token can do is probed at start.' },
  {
    text: 'Backups of keys are few, protected and proved.',
    open: 'A rehearsal is the operator’s; docs/hsm.md says what has to be kept.',
  },
  { text: 'The database killed at any moment: nothing is used twice, nothing lost.' },
  {
    text: 'Full disks and missing resources: closed, then clean again.',
    open: 'The disk of PostgreSQL. A server whose own memory runs out ends, and whoever watches it starts it again.',
  },
  { text: 'A certification authority that errs or fails activates nothing.' },
  { text: 'A time-stamping authority that errs or fails lowers no level silently.' },
  { text: 'Our own time stamps keep their accuracy or stop.' },
  { text: 'Overload is shed; finished work is not thrown away.' },
  { text: 'Restarts and upgrades under load fail and double nothing.' },
  { text: 'A native crash ends one worker only.' },
  {
    text: 'An hour of load leaves nothing growing.',
    open: 'An hour: `npm run soak -- --minutes 60`, of which CI runs three minutes.',
  },
  {
    text: 'Administration is apart, authenticated, and least privileged.',
    open: 'There is no administration over the network: the command line is all there is.',
  },
  {
    text: 'TLS is modern and strict, inwards and outwards.',
    open: 'A scan of the suites: nginx ends TLS, and its configuration is tested.',
  },
  {
    text: 'Dependencies are pinned and known.',
    open: 'Known vulnerabilities: nothing asks for them.',
  },
  {
    text: 'This table: every property has its tests, each seen failing once.',
    open: 'That each test was seen failing; of the conformance runner [it is](conformance-mutants.md).',
  },
  {
    text: 'The OpenID Foundation’s suite runs on changes of the authorization server.',
    open: 'Its suite is not run.',
  },
  { text: 'Races and faults run with fixed seeds, and failing seeds are kept.' },
  { text: 'Several PKCS#11 implementations run the same suite.' },
  {
    text: 'A prober signs in production on a schedule and verifies.',
    open: 'There is no such prober; `scripts/sign` signs and verifies once.',
  },
  {
    text: 'Every defect that escaped adds a line here.',
    open: 'A matter of discipline, not of tests.',
  },
]

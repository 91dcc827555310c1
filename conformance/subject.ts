import type { X509Certificate } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { newDocuments, verifySignature, type Algorithm, type Document } from './algorithms.js'
import { Clock, type Time } from './clock.js'
import { choicesOf, readCredential, type KnownCredential } from './credential-view.js'
import {
  Http,
  stringOf,
  type Answer,
  type Fetch,
  type HeaderFields,
  type Json,
} from './exchange.js'
import { demand, same, succeeded } from './expectations.js'
import {
  changed,
  clientAuthentication,
  endpointsBelow,
  newPkce,
  postForm,
  type Changes,
  type Fields,
  type OAuthEndpoints,
} from './oauth-client.js'
import { Listener } from './listener.js'
import { CannotRun, NotApplicable, NotMet, Skipped } from './outcome.js'
import type { Version } from './requirement.js'
import { BrowserSigner } from './signer/browser-signer.js'
import { Cookies } from './signer/cookies.js'
import { follow, FormSigner } from './signer/form-signer.js'
import { isOneTime, OneTimeCodes } from './signer/one-time-codes.js'
import { AbsentSigner, PersonSigner, Terminal } from './signer/person.js'
import type { Decision, Signer } from './signer/signer.js'
import {
  reveal,
  secretsOf,
  type ClientSettings,
  type SignerSettings,
  type Target,
} from './target.js'

/** What a signer agreed to, and by what it is spent. */
export interface Authorised {
  readonly credential: KnownCredential
  readonly documents: readonly Document[]
  /** Credential token or, beside a SAD, service token. */
  readonly bearer: string
  readonly SAD: string | null
  readonly algorithm: Algorithm
}

export interface ServiceTokens {
  readonly access_token: string
  readonly refresh_token: string | null
  readonly answer: Answer
}

/** What to look for among the credentials of a signer. */
export interface Wanted {
  readonly mode?: string
  readonly SCAL?: '1' | '2'
  readonly kind?: 'ec' | 'rsa'
  /** At least. */
  readonly multisign?: number
  readonly signer?: number
}

interface Kept {
  readonly value: unknown
  readonly until: number
}

const POLL_MILLISECONDS = 500
const USUAL_BUDGET = { approvals: 250, signatures: 500 } as const

/** The server under test, with all a case needs: its claims, tokens, credentials, signers and time. */
export class Subject {
  readonly target: Target
  readonly version: Version
  readonly http: Http
  readonly clock: Clock
  readonly baseUrl: string
  readonly #signers: readonly Signer[]
  readonly #codes: OneTimeCodes
  readonly #terminal = new Terminal(process.stdin, process.stderr)
  readonly #kept = new Map<string, Kept>()
  /** Ids of credentials whose signatures were verified. */
  readonly #verified = new Set<string>()
  #listener: Listener | null = null
  #info: Answer | null = null
  #oauth: OAuthEndpoints | null = null
  readonly #used = { approvals: 0, signatures: 0 }

  constructor(target: Target, parts: { fetch: Fetch; time: Time }) {
    this.target = target
    this.baseUrl = target.baseUrl.replace(/\/$/, '')
    this.version = target.version ?? versionOf(this.baseUrl)
    this.http = new Http(parts.fetch, secretsOf(target))
    this.clock = new Clock(parts.time, {
      each: target.consume?.waitSeconds ?? 35,
      inAll: target.consume?.waitSecondsInAll ?? Infinity,
    })
    this.#codes = new OneTimeCodes(this.clock)
    this.#signers = target.signers.map((settings, index) => this.#newSigner(settings, index))
  }

  /** @throws {CannotRun} when the server does not even answer `info` */
  async start(): Promise<void> {
    try {
      this.#info = await this.call('info', {})
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      throw new CannotRun(`${this.baseUrl}/info does not answer: ${reason}`, { cause: error })
    }
    if (this.#info.status !== 200 || !this.#info.json) {
      throw new CannotRun(`${this.baseUrl}/info answers ${this.#info.status}, without JSON`)
    }
    this.#oauth = await this.#findOAuth(this.#info)
  }

  async close(): Promise<void> {
    for (const signer of this.#signers) await signer.close()
    await this.#listener?.close()
  }

  /** @throws {Skipped} when the configuration has no address for it */
  async listener(): Promise<Listener> {
    const { announcements } = this.target
    if (!announcements) throw new Skipped('the configuration has no announcements')
    return (this.#listener ??= await Listener.start(announcements))
  }

  get used(): { approvals: number; signatures: number } {
    return { ...this.#used }
  }

  get isV1(): boolean {
    return this.version !== 'v2'
  }

  /** The answer to `info`, as read at the start. */
  get info(): Answer {
    if (!this.#info) throw new CannotRun('info was not read')
    return this.#info
  }

  get oauth(): OAuthEndpoints {
    if (!this.#oauth) throw new NotApplicable('the server names no OAuth endpoints')
    return this.#oauth
  }

  get methods(): readonly string[] {
    const methods = this.info.get('methods')
    return Array.isArray(methods) ? methods.map(String) : []
  }

  claims(method: string): boolean {
    return method === 'info' || this.methods.includes(method)
  }

  /** @throws {NotApplicable} */
  needs(method: string): void {
    if (!this.claims(method)) throw new NotApplicable(`info does not list ${method}`)
  }

  skip(reason: string): never {
    throw new Skipped(reason)
  }

  notApplicable(reason: string): never {
    throw new NotApplicable(reason)
  }

  /** Calls a method of the API; text goes as it is, `undefined` as no body at all. */
  call(
    method: string,
    body: unknown,
    bearer: string | null = null,
    headers: HeaderFields = {},
  ): Promise<Answer> {
    return this.http.send({
      method: 'POST',
      url: `${this.baseUrl}/${method}`,
      headers: {
        'Content-Type': 'application/json',
        ...(bearer === null ? {} : { Authorization: `Bearer ${bearer}` }),
        ...headers,
      },
      body: typeof body === 'string' ? body : body === undefined ? '' : JSON.stringify(body),
    })
  }

  /** Made once and used again until it is about to expire. */
  async kept<T>(name: string, seconds: number, make: () => Promise<T>): Promise<T> {
    const now = this.clock.now().getTime() / 1000
    const kept = this.#kept.get(name)
    if (kept && kept.until > now + 20) return kept.value as T
    const value = await make()
    this.#kept.set(name, { value, until: this.clock.now().getTime() / 1000 + seconds })
    return value
  }

  /** What was made before, if it was. */
  peek<T>(name: string): T | null {
    return (this.#kept.get(name)?.value as T | undefined) ?? null
  }

  forget(name: string): void {
    this.#kept.delete(name)
  }

  pause(milliseconds: number): Promise<void> {
    return sleep(milliseconds)
  }

  /** After a grant was ended: tokens kept may belong to it. */
  forgetTokens(): void {
    for (const name of [...this.#kept.keys()]) {
      if (/^(service|tokens|unspent)/.test(name)) this.#kept.delete(name)
    }
  }

  /** @throws {Skipped} when the configuration has no second signer */
  otherSigner(): number {
    if (this.#signers.length < 2) throw new Skipped('the configuration has one signer only')
    return 1
  }

  /** @throws {Skipped} when the configuration has no second application */
  otherClient(): ClientSettings {
    const { otherClient } = this.target
    if (!otherClient) throw new Skipped('the configuration has no otherClient')
    return otherClient
  }

  signerSettings(signer: number): SignerSettings {
    const settings = this.target.signers[signer]
    if (!settings) throw new Skipped(`the configuration has no signer ${signer + 1}`)
    return settings
  }

  /** A service token of the signer, shared by all cases that do not end it. */
  serviceToken(signer = 0, client = this.target.client): Promise<string> {
    const { signIn } = this.signerSettings(signer)
    if (signIn.by === 'token') return Promise.resolve(reveal(signIn.serviceToken))
    const name = `service ${signer} ${client.client_id}`
    return this.kept(
      name,
      1500,
      async () => (await this.newServiceTokens(signer, client)).access_token,
    )
  }

  async newServiceTokens(signer = 0, client = this.target.client): Promise<ServiceTokens> {
    const { code_verifier, code_challenge } = newPkce()
    const answer = await this.authorize(this.request({ code_challenge }, client), {
      signer,
      client,
    })
    const tokens = await this.redeem(codeOf(answer), code_verifier, {}, client)
    succeeded(tokens)
    const refresh = tokens.get('refresh_token')
    return {
      access_token: tokens.string('access_token'),
      refresh_token: typeof refresh === 'string' ? refresh : null,
      answer: tokens,
    }
  }

  /** An authorization request for scope `service`. */
  request(changes: Changes = {}, client = this.target.client): Record<string, string> {
    return changed(
      {
        response_type: 'code',
        client_id: client.client_id,
        redirect_uri: client.redirect_uri,
        scope: 'service',
        state: 'conformance-state',
        code_challenge: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM',
        code_challenge_method: 'S256',
      },
      changes,
    )
  }

  /** An authorization request for signatures over these documents. */
  credentialRequest(
    credential: Pick<KnownCredential, 'id'>,
    documents: readonly Document[],
    changes: Changes = {},
    client = this.target.client,
  ): Record<string, string> {
    const hashes = documents.map(({ base64url }) => base64url).join(',')
    const named = this.isV1
      ? { hash: hashes || null }
      : { hashes: hashes || null, hashAlgorithmOID: documents[0]?.hash.oid ?? null }
    return this.request(
      {
        scope: 'credential',
        credentialID: credential.id,
        numSignatures: String(documents.length),
        ...named,
        ...changes,
      },
      client,
    )
  }

  /** Has a signer take the request to its end. */
  async authorize(
    parameters: Fields,
    options: { signer?: number; client?: ClientSettings; decision?: Decision } = {},
  ): Promise<URLSearchParams> {
    const { signer = 0, client = this.target.client, decision = 'approve' } = options
    const person = this.#signers[signer]
    if (!person) throw new Skipped(`the configuration has no signer ${signer + 1}`)
    const url = this.authorizeUrl(parameters)
    return this.#spending('approvals', 1, async () => {
      const answer = await person.authorize(url, client.redirect_uri, decision)
      const code = answer.get('code')
      if (code) this.http.keepSecret(code)
      return { answer, used: code ? 1 : 0 }
    })
  }

  authorizeUrl(parameters: Fields): string {
    return `${this.oauth.authorize}?${new URLSearchParams(parameters).toString()}`
  }

  /** Opens a request in a browser nobody signed in with: a page, or what the application is told. */
  open(parameters: Fields | string): Promise<Answer | URLSearchParams> {
    const url = `${this.oauth.authorize}?${
      typeof parameters === 'string' ? parameters : new URLSearchParams(parameters).toString()
    }`
    return follow(this.http, new Cookies(), url, this.target.client.redirect_uri)
  }

  /** The token request for a code. */
  redeem(
    code: string,
    code_verifier: string,
    changes: Changes = {},
    client = this.target.client,
    headers: HeaderFields = {},
  ): Promise<Answer> {
    const { redirect_uri } = client
    const grant = { grant_type: 'authorization_code', code, code_verifier, redirect_uri }
    return this.requestToken({ ...grant, ...changes }, client, headers)
  }

  requestToken(
    fields: Changes,
    client = this.target.client,
    headers: HeaderFields = {},
  ): Promise<Answer> {
    return this.#postAs(client, this.oauth.token, fields, headers)
  }

  revokeToken(fields: Changes, client = this.target.client): Promise<Answer> {
    return this.#postAs(client, this.oauth.revoke, fields)
  }

  push(fields: Changes, client = this.target.client, headers: HeaderFields = {}): Promise<Answer> {
    const { pushed } = this.oauth
    if (pushed === null) throw new NotApplicable('the server has no endpoint for pushed requests')
    return this.#postAs(client, pushed, fields, headers)
  }

  async #postAs(
    client: ClientSettings,
    url: string,
    fields: Changes,
    headers: HeaderFields = {},
  ): Promise<Answer> {
    const now = this.authorizationServerTime()
    const own = await clientAuthentication(client, { audience: () => this.issuer(), now })
    return postForm(this.http, url, changed(own.fields, fields), { ...own.headers, ...headers })
  }

  /** What the authorization server says of itself where everybody can read it (RFC 8414 §3). */
  metadata(): Promise<Answer> {
    return this.kept('metadata', Infinity, () => {
      const base = new URL(this.oauth.issuer ?? this.oauth.authorize)
      const path = this.oauth.issuer === null ? '' : base.pathname.replace(/\/$/, '')
      const url = `${base.origin}/.well-known/oauth-authorization-server${path}`
      return this.http.send({ method: 'GET', url })
    })
  }

  /** Its name, for what is addressed to it. */
  async issuer(): Promise<string> {
    const issuer = this.oauth.issuer ?? (await this.metadata()).get('issuer')
    return typeof issuer === 'string' ? issuer : this.oauth.token
  }

  /** By its own clock where that is known: it may run on another machine than the API. */
  authorizationServerTime(): Date {
    return this.http.timeAt(this.oauth.token) ?? this.clock.now()
  }

  /** The credentials of a signer that the configuration lets be used. */
  async credentials(signer = 0): Promise<readonly KnownCredential[]> {
    const known = await this.kept(`credentials ${signer}`, Infinity, () =>
      this.#readCredentials(signer),
    )
    const { credentials: allowed } = this.signerSettings(signer)
    return known.filter(({ id }) => allowed?.includes(id) ?? true)
  }

  /** @throws {NotApplicable} when the signer has none like that */
  async credential(wanted: Wanted = {}): Promise<KnownCredential> {
    const [found] = await this.#fitting(wanted)
    if (found) return found
    const words = Object.entries(wanted).map(([name, value]) => `${name} ${value}`)
    throw new NotApplicable(
      `the signer has no usable credential${words.length ? ' with ' : ''}${words.join(', ')}`,
    )
  }

  async #fitting(wanted: Wanted): Promise<readonly KnownCredential[]> {
    return this.cheapestFirst(await this.credentials(wanted.signer)).filter(
      (each) =>
        each.enabled &&
        (wanted.mode === undefined || each.mode === wanted.mode) &&
        (wanted.SCAL === undefined || each.SCAL === wanted.SCAL) &&
        (wanted.kind === undefined || each.kind === wanted.kind) &&
        each.multisign >= (wanted.multisign ?? 1) &&
        choicesOf(each).length > 0,
    )
  }

  /** Where a one-time code has to be waited for, what needs none comes first. */
  cheapestFirst(credentials: readonly KnownCredential[]): readonly KnownCredential[] {
    if (this.clock.moves) return credentials
    return credentials.toSorted((one, other) => this.#codesFor(one) - this.#codesFor(other))
  }

  /** How many one-time codes an approval takes. */
  #codesFor({ mode, objects, signer }: KnownCredential): number {
    const { signIn, authData = {} } = this.signerSettings(signer)
    if (mode !== 'explicit') {
      const steps = 'steps' in signIn ? signIn.steps : []
      return steps.some(({ fill = {} }) => Object.values(fill).some(isOneTime)) ? 1 : 0
    }
    return objects.filter(({ id, type }) => type !== 'Password' || isOneTime(authData[id])).length
  }

  /** Documents with the hash the credential signs by preference. */
  documentsFor(credential: KnownCredential, count = 1): Document[] {
    return newDocuments(count, choicesOf(credential)[0]?.hash)
  }

  algorithmFor(credential: KnownCredential, { hash }: Document): Algorithm {
    const choice = choicesOf(credential).find((each) => each.hash.oid === hash.oid)
    if (!choice) throw new NotApplicable(`the credential has no algorithm with ${hash.name}`)
    return choice.algorithm
  }

  /** Has the signer agree to signatures, in the way of the credential. */
  async authorise(
    credential: KnownCredential,
    documents: readonly Document[],
    options: { numSignatures?: number; withoutHashes?: boolean; algorithm?: Algorithm } = {},
  ): Promise<Authorised> {
    const [first] = documents
    if (!first) throw new Error('authorise needs a document')
    const algorithm = options.algorithm ?? this.algorithmFor(credential, first)
    const numSignatures = options.numSignatures ?? documents.length
    const named = options.withoutHashes ? [] : documents
    if (credential.mode === 'oauth2code') {
      const { token } = await this.approve(credential, named, {
        numSignatures: String(numSignatures),
      })
      const bearer = this.isV1 ? await this.serviceToken(credential.signer) : token
      return { credential, documents, algorithm, bearer, SAD: this.isV1 ? token : null }
    }
    const SAD = await this.sad(credential, named, { numSignatures })
    return {
      credential,
      documents,
      algorithm,
      bearer: await this.serviceToken(credential.signer),
      SAD,
    }
  }

  /**
   * An authorisation over three documents that no case signs with: refusals must not use it up. Where
   * they do, and the configuration says so, each gets its own.
   */
  unspent(wanted: Wanted = {}): Promise<Authorised> {
    const make = async () => {
      const credential = await this.preferred(wanted)
      const count = Math.min(3, credential.multisign)
      return this.authorise(credential, this.documentsFor(credential, count))
    }
    if (this.target.refusalsSpend) return make()
    return this.kept(`unspent ${JSON.stringify(wanted)}`, 240, make)
  }

  /**
   * By redirect before explicit, SCAL 2 before 1, several signatures before one; but first of all
   * without waiting.
   */
  async preferred(wanted: Wanted): Promise<KnownCredential> {
    const fitting = []
    for (const more of [
      { mode: 'oauth2code', SCAL: '2', multisign: 3 },
      { mode: 'oauth2code', multisign: 2 },
      { SCAL: '2', multisign: 3 },
    ] as const) {
      fitting.push(...(await this.#fitting({ ...more, ...wanted })))
    }
    const [found] = this.cheapestFirst(fitting)
    return found ?? this.credential(wanted)
  }

  /** A credential-scope token, by redirect. */
  async approve(
    credential: KnownCredential,
    documents: readonly Document[],
    changes: Changes = {},
    client = this.target.client,
  ): Promise<{ token: string; answer: Answer }> {
    const { code_verifier, code_challenge } = newPkce()
    const request = this.credentialRequest(
      credential,
      documents,
      { code_challenge, ...changes },
      client,
    )
    const told = await this.authorize(request, { signer: credential.signer, client })
    const answer = succeeded(await this.redeem(codeOf(told), code_verifier, {}, client))
    return { token: answer.string('access_token'), answer }
  }

  /** A SAD from `credentials/authorize`, polled for where the signer approves elsewhere. */
  async sad(
    credential: KnownCredential,
    documents: readonly Document[],
    changes: Json = {},
  ): Promise<string> {
    const answer = await this.callAuthorize(credential, documents, changes)
    return stringOf((await this.#settled(answer, credential)).json ?? {}, 'SAD')
  }

  /** `credentials/authorize` with the right factors. */
  async callAuthorize(
    credential: KnownCredential,
    documents: readonly Document[],
    changes: Json = {},
    bearer?: string,
  ): Promise<Answer> {
    this.needs('credentials/authorize')
    const token = bearer ?? (await this.serviceToken(credential.signer))
    const body = {
      ...this.authorizeBody(credential, documents),
      ...('authData' in changes ? {} : await this.factorsOf(credential)),
      ...changes,
    }
    return this.#spending('approvals', 1, async () => {
      const answer = await this.call('credentials/authorize', body, token)
      return { answer, used: answer.status < 300 ? 1 : 0 }
    })
  }

  /** Its body but for the factors. */
  authorizeBody(credential: KnownCredential, documents: readonly Document[]): Json {
    const hashes = documents.map(({ base64 }) => base64)
    const [first] = documents
    const named = this.isV1 ? { hash: hashes } : { hashes, hashAlgorithmOID: first?.hash.oid }
    return {
      credentialID: credential.id,
      numSignatures: documents.length,
      ...(first ? named : {}),
    }
  }

  /** What the signer answers to the authentication objects: `authData`, in v1 `PIN` and `OTP`. */
  async factorsOf(credential: KnownCredential): Promise<Json> {
    const { authData = {} } = this.signerSettings(credential.signer)
    const answers: { id: string; value?: string }[] = []
    for (const { id, type } of credential.objects) {
      const typed = authData[id]
      if (type.endsWith('OOB')) answers.push({ id })
      else if (typed === undefined) throw new Skipped(`the configuration has no authData for ${id}`)
      else answers.push({ id, value: await this.#codes.valueOf(typed) })
    }
    if (!this.isV1) return answers.length === 0 ? {} : { authData: answers }
    return Object.fromEntries(answers.map(({ id, value }) => [id, value]))
  }

  /** Calls `signHash` for what was agreed; `changes` set members, or with undefined leave them out. */
  async sign(authorised: Authorised, changes: Json = {}, bearer?: string): Promise<Answer> {
    this.needs('signatures/signHash')
    const body = { ...this.signBody(authorised), ...changes }
    return this.callToSign('signatures/signHash', body, bearer ?? authorised.bearer)
  }

  /** Calls a method that signs; what it signed is taken out of what may be used up. */
  async callToSign(
    method: string,
    body: Json,
    bearer: string | null,
    headers: HeaderFields = {},
  ): Promise<Answer> {
    const asked = numberOfHashes(body)
    return this.#spending('signatures', asked, async () => {
      const answer = await this.call(method, body, bearer, headers)
      return { answer, used: numberOfSignatures(answer, asked) }
    })
  }

  signBody({ credential, documents, SAD, algorithm }: Authorised): Json {
    const hashes = documents.map(({ base64 }) => base64)
    const { hashAlgorithmOID, ...rest } = algorithm
    const named = this.isV1
      ? { hash: hashes, ...(hashAlgorithmOID ? { hashAlgo: hashAlgorithmOID } : {}) }
      : { hashes, ...(hashAlgorithmOID ? { hashAlgorithmOID } : {}) }
    return { credentialID: credential.id, ...(SAD === null ? {} : { SAD }), ...named, ...rest }
  }

  /** Demands one signature for each document, in their order, by the key of the certificate. */
  verifySignatures(answer: Answer, authorised: Authorised, documents = authorised.documents): void {
    succeeded(answer)
    const signatures = answer.strings('signatures')
    same(signatures.length, documents.length, 'number of signatures')
    const certificate = certificateOf(authorised.credential)
    documents.forEach((document, index) => {
      verifySignature(signatures[index] ?? '', document, certificate, authorised.algorithm)
    })
    this.#verified.add(authorised.credential.id)
  }

  /** Whether a signature was seen to be one of the key of its certificate. */
  hasVerified({ id }: KnownCredential): boolean {
    return this.#verified.has(id)
  }

  /** Whether the configuration has all that a signature with it takes, and it cannot be locked by now. */
  canSignWith(credential: KnownCredential): boolean {
    const { enabled, mode, objects, signer } = credential
    if (!enabled || choicesOf(credential).length === 0) return false
    if (mode !== 'explicit') return true
    const { authData = {} } = this.signerSettings(signer)
    const isLocked = this.target.consume?.lock === true && !this.clock.moves
    const answered = ({ id, type }: { id: string; type: string }) =>
      id in authData && !type.endsWith('OOB')
    return !isLocked && this.claims('credentials/authorize') && objects.every(answered)
  }

  /**
   * Does what may use up as much as `most`, and counts what it did use.
   * @throws {Skipped} before doing it, when so much is not left
   */
  async #spending<T>(
    what: 'approvals' | 'signatures',
    most: number,
    act: () => Promise<{ answer: T; used: number }>,
  ): Promise<T> {
    const limit = this.target.consume?.[what] ?? USUAL_BUDGET[what]
    if (this.#used[what] + most > limit) throw new Skipped(`consume.${what} are used up`)
    this.#used[what] += most
    let used = 0
    try {
      const done = await act()
      used = done.used
      return done.answer
    } finally {
      this.#used[what] += used - most
    }
  }

  async #settled(first: Answer, credential: KnownCredential): Promise<Answer> {
    let answer = first
    const token = await this.serviceToken(credential.signer)
    const until = Date.now() + (this.target.consume?.waitSeconds ?? 35) * 1000
    while (answer.status === 202) {
      if (Date.now() > until) throw new Skipped('nobody approved in time')
      await sleep(POLL_MILLISECONDS)
      const handle = answer.string('handle')
      answer = await this.call('credentials/authorizeCheck', { handle }, token)
    }
    return succeeded(answer)
  }

  async #readCredentials(signer: number): Promise<KnownCredential[]> {
    const token = await this.serviceToken(signer)
    const list = succeeded(await this.call('credentials/list', {}, token))
    const detail = { certificates: 'chain', certInfo: true, authInfo: true }
    const known = []
    for (const credentialID of list.strings('credentialIDs')) {
      const info = await this.call('credentials/info', { credentialID, ...detail }, token)
      known.push(readCredential(credentialID, signer, succeeded(info).json ?? {}))
    }
    return known
  }

  async #findOAuth(info: Answer): Promise<OAuthEndpoints | null> {
    const base = this.target.oauth2 ?? info.get('oauth2') ?? serverMember(info, 'baseUri')
    if (typeof base === 'string') return endpointsBelow(base)
    const issuer = info.get('oauth2Issuer') ?? serverMember(info, 'issuerIdentifier')
    if (typeof issuer !== 'string') return null
    const { origin, pathname } = new URL(issuer)
    const url = `${origin}/.well-known/oauth-authorization-server${pathname.replace(/\/$/, '')}`
    const metadata = succeeded(await this.http.send({ method: 'GET', url }))
    const pushed = metadata.get('pushed_authorization_request_endpoint')
    return {
      authorize: metadata.string('authorization_endpoint'),
      token: metadata.string('token_endpoint'),
      revoke: metadata.string('revocation_endpoint'),
      pushed: typeof pushed === 'string' ? pushed : null,
      issuer,
    }
  }

  #newSigner({ signIn }: SignerSettings, index: number): Signer {
    switch (signIn.by) {
      case 'form':
        return new FormSigner(this.http, signIn.steps, this.#codes)
      case 'browser':
        return new BrowserSigner(signIn, this.#codes)
      case 'person':
        return new PersonSigner(this.#terminal, `signer ${index + 1}`)
      case 'token':
        return new AbsentSigner()
    }
  }
}

function numberOfHashes({ hashes, hash, documentDigests, documents }: Json): number {
  const items = (Array.isArray(documentDigests) ? documentDigests : []) as (Json | null)[]
  const ofDigests = items.reduce((sum, item) => sum + lengthOf(item?.['hashes']), 0)
  return lengthOf(hashes ?? hash) + ofDigests + lengthOf(documents)
}

/** What is signed later counts at once. */
function numberOfSignatures(answer: Answer, asked: number): number {
  if (answer.status >= 300) return 0
  if (answer.has('responseID')) return asked
  const members = ['signatures', 'SignatureObject', 'DocumentWithSignature']
  return members.reduce((sum, name) => sum + lengthOf(answer.get(name)), 0)
}

function lengthOf(value: unknown): number {
  return Array.isArray(value) ? value.length : 0
}

function certificateOf({ certificates }: KnownCredential): X509Certificate {
  const [leaf] = certificates
  if (!leaf) throw new NotMet('credentials/info has no certificate for the credential')
  return leaf
}

export function codeOf(answer: URLSearchParams): string {
  const code = answer.get('code')
  demand(code !== null, `no code came back, but: ${answer.toString()}`)
  return code
}

function versionOf(baseUrl: string): Version {
  const [, version] = /\/csc\/(v[012])$/.exec(baseUrl) ?? []
  if (version === 'v0' || version === 'v1' || version === 'v2') return version
  throw new CannotRun(
    'baseUrl does not end in /csc/v2, /csc/v1 or /csc/v0: say which "version" it is',
  )
}

/** From v2.2 on there can be several authorization servers; the first is taken. */
function serverMember(info: Answer, name: string): unknown {
  const servers = info.get('oauth2Servers')
  return Array.isArray(servers) ? (servers[0] as Json | undefined)?.[name] : undefined
}

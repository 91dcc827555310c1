import { digest, SHA_256, signingWith, type Signing } from './algorithms.js'
import { chainHolds, readCertificate, type CertificateFacts } from './certificate.js'
import { DocumentStore, type StoredDocument } from './document-store.js'
import { fromBase64, toBase64, toBase64Url, toHex, type Bytes } from './encoding.js'
import { Http, RefusedError } from './http.js'
import {
  authorizationParameters,
  CLIENT_ID,
  newAuthorization,
  readCallback,
  type Callback,
  type Scope,
  type ServerMetadata,
} from './oauth.js'
import { maskParameters, type Exchange } from './protocol-log.js'
import { USUAL, type Placement } from './placement.js'
import { samplePdf } from './sample-pdf.js'
import {
  Service,
  type CredentialInfo,
  type Report,
  type ServiceInfo,
  type Tokens,
} from './service.js'
import {
  forgetSession,
  loadSession,
  newSession,
  saveSession,
  type ServiceFacts,
  type Session,
} from './session.js'
import { t } from './texts.js'
import { tamper, verify } from './verification.js'

/** What is said while the page is being left. */
export const LEAVING = 'Going to the signing service…'
export const MOST_DOCUMENTS = 20
const MOST_BYTES = 64 * 1024 * 1024
/** Longer addresses are cut or refused somewhere on the way. CSC API v2, 8.4.2 */
const LONGEST_URL = 2083

export interface DemoDocument extends StoredDocument {
  /** SHA-256, hexadecimal. */
  readonly fingerprint: string
  readonly isPdf: boolean
  /** Where the signature is seen on a PDF; null for nowhere. */
  readonly placement: Placement | null
}

/** A credential with what its certificate says, and how this page would sign with it. */
export interface Choice {
  readonly info: CredentialInfo
  readonly chain: readonly Bytes[]
  readonly certificate: CertificateFacts
  readonly signing: Signing
}

/** A document with a signature apart from it. */
export interface DetachedSignature {
  readonly kind: 'detached'
  readonly document: DemoDocument
  readonly signature: Bytes
  readonly valid: boolean
  /** The same check over a copy with one byte changed, once it was asked for. */
  readonly tampered?: { readonly valid: boolean; readonly at: number }
}

export interface SignedPdf {
  readonly kind: 'pdf'
  readonly document: DemoDocument
  readonly signed: Bytes
  /** Null when the service did not check it. */
  readonly report: Report | null
  readonly valid: boolean
  readonly tampered?: { readonly valid: boolean; readonly at: number }
}

export type SignedDocument = DetachedSignature | SignedPdf

export interface Result {
  readonly choice: Choice
  readonly chainHolds: boolean
  readonly documents: readonly SignedDocument[]
}

export interface Notice {
  readonly tone: 'problem' | 'information'
  readonly title: string
  readonly text: string
  readonly link?: string
}

export type Step = 'documents' | 'certificate' | 'result' | 'finished'

export interface State {
  readonly step: Step
  /** What is under way; nothing can be pressed meanwhile. */
  readonly busy?: string | undefined
  readonly notice?: Notice | undefined
  readonly serviceName?: string | undefined
  readonly documents: readonly DemoDocument[]
  readonly choices: readonly Choice[]
  readonly chosen?: Choice | undefined
  /** The documents' digests as the chosen key will sign them, hexadecimal. */
  readonly digests: readonly string[]
  readonly result?: Result | undefined
  readonly log: readonly Exchange[]
}

/** The signature application: what it knows, and what can be done with it. */
export class Demo {
  state: State = {
    step: 'documents',
    busy: 'Starting…',
    documents: [],
    choices: [],
    digests: [],
    log: [],
  }
  readonly #changed: (state: State) => void
  readonly #service: Service
  #session: Session = loadSession()
  #store = new DocumentStore(this.#session.id)
  #server: ServerMetadata | undefined
  #tokens: Tokens | undefined

  constructor(changed: (state: State) => void) {
    this.#changed = changed
    this.#service = new Service(
      new Http((exchange) => {
        this.#log(exchange)
      }),
    )
  }

  /** Takes up where this tab left off, and reads what the browser brings back from the service. */
  async start(): Promise<void> {
    const query = location.search
    if (query !== '') history.replaceState(null, '', location.pathname)
    this.#show({ log: this.#session.log })
    await this.#attempt('Starting…', async () => {
      if (!globalThis.isSecureContext) {
        throw new Error(
          'This page signs with the cryptography of the browser, which needs https:// or a local address such as http://127.0.0.1.',
        )
      }
      await this.#restore()
      const { name, server } = await this.#findService()
      this.#show({ serviceName: name })
      if (new URL(server.issuer).origin !== location.origin) {
        this.#warn('Please open this page at the address of the service', {
          text: 'Sign-in returns to the address the service is known by.',
          link: `${new URL(server.issuer).origin}${location.pathname}`,
        })
        return
      }
      this.#server = server
      await this.#receive(readCallback(query, this.#session.pending, server.issuer), query)
    })
  }

  async addDocuments(files: Iterable<File>): Promise<void> {
    await this.#attempt('Computing fingerprints…', async () => {
      const documents = [...this.state.documents]
      for (const file of files) {
        const bytes = documents.reduce((sum, { content }) => sum + content.length, file.size)
        if (documents.length === MOST_DOCUMENTS || bytes > MOST_BYTES) {
          this.#warn('Not everything fits', {
            text: t(
              'This demonstration takes up to {count} documents of {megabytes} MB altogether.',
              {
                ...{ count: MOST_DOCUMENTS, megabytes: MOST_BYTES / 1024 / 1024 },
              },
            ),
          })
          break
        }
        const document = await this.#read({
          name: file.name,
          content: new Uint8Array(await file.arrayBuffer()),
        })
        if (documents.some(({ fingerprint }) => fingerprint === document.fingerprint)) {
          this.#tell('This document is here already', {
            text: t('“{name}” has the same content as one you chose before.', { name: file.name }),
          })
        } else {
          documents.push(document)
        }
      }
      await this.#setDocuments(documents)
    })
  }

  async addSample(): Promise<void> {
    const content = samplePdf(`Made on ${new Date().toUTCString()} to try out remote signing.`)
    await this.addDocuments([new File([content], 'sample-agreement.pdf')])
  }

  /** A PDF does where the service signs PDFs; anything else gets a signature apart from it. */
  becomesSignedPdf({ isPdf }: DemoDocument): boolean {
    return isPdf && Boolean(this.#session.service?.pdfLevel)
  }

  /** Where the signature is to be seen on a PDF. */
  place({ fingerprint }: DemoDocument, placement: Placement | null): void {
    this.#save({ placements: { ...this.#session.placements, [fingerprint]: placement } })
    const documents = this.state.documents.map((document) =>
      document.fingerprint === fingerprint ? { ...document, placement } : document,
    )
    this.#show({ documents })
  }

  async removeDocument(document: DemoDocument): Promise<void> {
    await this.#setDocuments(this.state.documents.filter((other) => other !== document))
  }

  /** First trip: the person signs in and lets this page see their credentials. */
  async signIn(): Promise<void> {
    await this.#attempt(LEAVING, () => this.#leaveFor('service', {}))
  }

  async choose(choice: Choice): Promise<void> {
    const digests = await Promise.all(
      this.state.documents.map(async ({ content }) =>
        toHex(await digest(choice.signing.hash, content)),
      ),
    )
    this.#save({ chosen: choice.info.credentialID })
    this.#show({ chosen: choice, digests })
  }

  /** Second trip: the person approves signatures over exactly these digests. */
  async approve(): Promise<void> {
    const { chosen, documents } = this.state
    if (!chosen) return
    await this.#attempt(LEAVING, async () => {
      const { hash } = chosen.signing
      const digests = await Promise.all(documents.map(({ content }) => digest(hash, content)))
      await this.#leaveDocuments(documents)
      // The list has been read, so nothing that could read it again stays behind.
      await this.#revokeTokens()
      await this.#leaveFor('credential', {
        credentialID: chosen.info.credentialID,
        numSignatures: `${documents.length}`,
        hashes: digests.map(toBase64Url).join(','),
        hashAlgorithmOID: hash.oid,
        description: describe(documents),
      })
    })
  }

  /** Shows that the signature is bound to the content: one byte changed, and it is worth nothing. */
  async checkTampered(signed: SignedDocument): Promise<void> {
    const { result } = this.state
    if (!result) return
    await this.#attempt('Checking a copy with one byte changed…', async () => {
      const tampered = await this.#verifyTampered(signed, result)
      const documents = result.documents.map((other) =>
        other === signed ? { ...signed, tampered } : other,
      )
      this.#show({ result: { ...result, documents } })
    })
  }

  async #verifyTampered(signed: SignedDocument, { choice }: Result) {
    if (signed.kind === 'pdf') {
      const { content, at } = tamper(signed.signed)
      return { at, valid: isPassed(await this.#service.validate(signed.document.name, content)) }
    }
    const { content, at } = tamper(signed.document.content)
    const { publicKey } = choice.certificate
    return { at, valid: await verify(publicKey, choice.signing.hash, content, signed.signature) }
  }

  /** Gives up what is left of the rights to sign, and forgets everything. */
  async finish(): Promise<void> {
    await this.#attempt('Finishing…', async () => {
      await this.#revokeTokens()
      await this.#forget()
      this.#show({ step: 'finished' })
    })
  }

  async startOver(): Promise<void> {
    await this.#attempt('Starting again…', async () => {
      await this.#revokeTokens()
      await this.#forget()
      this.#show({ step: 'documents', log: [] })
    })
  }

  async backToDocuments(): Promise<void> {
    await this.#attempt('Going back…', async () => {
      await this.#revokeTokens()
      this.#replaceSession(without(this.#session, 'credentials', 'chosen', 'signatures'))
      this.#show({ step: 'documents', choices: [], chosen: undefined, digests: [] })
    })
  }

  dismissNotice(): void {
    this.#show({ notice: undefined })
  }

  // Coming back

  async #restore(): Promise<void> {
    await this.#store.clearOld()
    const documents = await Promise.all((await this.#store.load()).map((each) => this.#read(each)))
    this.#show({ documents })
    if (documents.length > 0 && this.#session.credentials) await this.#showCredentials()
  }

  async #findService(): Promise<ServiceFacts> {
    if (this.#session.service) return this.#session.service
    const [info, server] = await Promise.all([this.#service.info(), this.#service.metadata()])
    const service = { name: info.name, server, pdfLevel: pdfLevelOf(info) }
    this.#save({ service })
    return service
  }

  async #read(document: StoredDocument): Promise<DemoDocument> {
    const fingerprint = toHex(await digest(SHA_256, document.content))
    const isPdf = new TextDecoder('latin1').decode(document.content.slice(0, 5)) === '%PDF-'
    const { placements = {} } = this.#session
    const placement = fingerprint in placements ? (placements[fingerprint] ?? null) : USUAL
    return { ...document, fingerprint, isPdf, placement: isPdf ? placement : null }
  }

  /** Without a token, as after a reload, or where there is no room, the signer sees fingerprints alone. */
  async #leaveDocuments(documents: readonly DemoDocument[]): Promise<void> {
    const token = this.#tokens?.access_token
    if (token === undefined) return
    const pdfs = documents.filter((document) => this.becomesSignedPdf(document))
    for (const [index, { name, content }] of pdfs.entries()) {
      const where = { number: index + 1, count: pdfs.length }
      this.#busy(t('Handing over document {number} of {count}…', where))
      await this.#service.deposit(token, name, content).catch((error: unknown) => {
        // What is too large to be shown is too large to be signed: better said before it is approved.
        if (isTooLarge(error)) throw new TooLargeError(name)
      })
    }
    this.#busy(LEAVING)
  }

  async #receive(callback: Callback, query: string): Promise<void> {
    if (callback.kind !== 'none') {
      this.#log({
        title: 'Come back from the authorization server',
        method: 'redirect',
        url: redirectUri(),
        response: maskParameters(new URLSearchParams(query)),
      })
    }
    this.#replaceSession(without(this.#session, 'pending'))
    switch (callback.kind) {
      case 'none':
        if (this.#session.signatures && this.state.chosen) await this.#showResult()
        return
      case 'untrusted':
        this.#warn('The answer was not taken', { text: UNTRUSTED[callback.why] })
        return
      case 'refused':
        if (callback.error === 'access_denied') this.#tell(...explainRefusal(callback))
        else this.#warn(...explainRefusal(callback))
        return
      case 'code':
        if (this.state.documents.length === 0) {
          this.#warn('The documents are gone', {
            text: 'This browser did not keep them while you were away. Please choose them again.',
          })
          return
        }
        if (callback.pending.scope === 'service') await this.#receiveService(callback)
        else await this.#receiveCredential(callback)
    }
  }

  async #receiveService({ code, pending }: Callback & { kind: 'code' }): Promise<void> {
    this.#busy('Reading your certificates…')
    this.#tokens = await this.#service.redeem(this.#requireServer(), code, pending, redirectUri())
    const credentials = await this.#service.credentials(this.#tokens.access_token)
    this.#save({ credentials })
    await this.#showCredentials()
  }

  async #receiveCredential({ code, pending }: Callback & { kind: 'code' }): Promise<void> {
    const { chosen, documents } = this.state
    if (!chosen) throw new Error('The certificate that was chosen is no longer known here.')
    this.#busy('Signing…')
    this.#tokens = await this.#service.redeem(this.#requireServer(), code, pending, redirectUri())
    const { access_token } = this.#tokens
    const pdfs = documents.filter((document) => this.becomesSignedPdf(document))
    const others = documents.filter((document) => !this.becomesSignedPdf(document))
    await this.#store.saveSigned(await this.#signPdfs(access_token, chosen, pdfs))
    this.#save({ signatures: await this.#signHashes(access_token, chosen, others) })
    await this.#showResult()
  }

  async #signPdfs(
    token: string,
    { info, signing, certificate }: Choice,
    documents: readonly DemoDocument[],
  ): Promise<readonly StoredDocument[]> {
    if (documents.length === 0) return []
    const level = this.#session.service?.pdfLevel ?? ''
    const text = `${t('Signed by')} ${certificate.subject}\n${new Date().toISOString().slice(0, 10)}`
    const signed = await this.#service.signPdfs(
      token,
      info.credentialID,
      documents.map(({ content, placement }) => ({ content, level, placement, text })),
      signing,
    )
    return documents.flatMap(({ name }, index) => {
      const content = signed[index]
      return content ? [{ name, content }] : []
    })
  }

  async #signHashes(
    token: string,
    { info, signing }: Choice,
    documents: readonly DemoDocument[],
  ): Promise<readonly string[]> {
    if (documents.length === 0) return []
    const hashes = await Promise.all(
      documents.map(async ({ content }) => toBase64(await digest(signing.hash, content))),
    )
    return this.#service.signHash(token, info.credentialID, hashes, signing)
  }

  async #showCredentials(): Promise<void> {
    const choices = (this.#session.credentials ?? []).flatMap(readChoice)
    this.#show({ step: 'certificate', choices })
    const chosen = choices.find(({ info }) => info.credentialID === this.#session.chosen)
    if (chosen) await this.choose(chosen)
  }

  async #showResult(): Promise<void> {
    const { chosen, documents } = this.state
    const signatures = (this.#session.signatures ?? []).map(fromBase64)
    const pdfs = await this.#store.loadSigned()
    if (!chosen || signatures.length + pdfs.length !== documents.length) {
      throw new Error('The signatures do not belong to the documents that are here.')
    }
    this.#busy('Checking the signatures…')
    const signed: SignedDocument[] = []
    const [nextPdf, nextSignature] = [pdfs.values(), signatures.values()]
    for (const [index, document] of documents.entries()) {
      const where = { number: index + 1, count: documents.length }
      if (documents.length > 1) this.#busy(t('Checking signature {number} of {count}…', where))
      signed.push(
        this.becomesSignedPdf(document)
          ? await this.#checkPdf(document, nextPdf.next().value?.content ?? new Uint8Array())
          : await checkDetached(document, nextSignature.next().value ?? new Uint8Array(), chosen),
      )
    }
    const result = {
      choice: chosen,
      chainHolds: await chainHolds(chosen.chain),
      documents: signed,
    }
    this.#show({ step: 'result', result })
  }

  async #checkPdf(document: DemoDocument, signed: Bytes): Promise<SignedPdf> {
    // What was signed is there to be taken away, whether or not it can be checked just now.
    const report = await this.#service.validate(document.name, signed).catch(() => null)
    return { kind: 'pdf', document, signed, report, valid: isPassed(report) }
  }

  // Going away

  async #leaveFor(scope: Scope, more: Readonly<Record<string, string>>): Promise<void> {
    const server = this.#requireServer()
    const pending = newAuthorization(scope)
    const parameters = await authorizationParameters(pending, redirectUri(), more)
    const address = new URL(server.authorization_endpoint)
    address.search = parameters.toString()
    if (server.require_pushed_authorization_requests || address.href.length > LONGEST_URL) {
      const requestUri = await this.#service.push(server, parameters)
      const short = new URLSearchParams({ client_id: CLIENT_ID, request_uri: requestUri })
      address.search = short.toString()
    }
    await this.#store.save(this.state.documents.map(({ name, content }) => ({ name, content })))
    this.#log({
      title: scope === 'service' ? 'Send the browser to sign in' : 'Send the browser to approve',
      method: 'redirect',
      url: address.origin + address.pathname,
      request: maskParameters(address.searchParams),
    })
    this.#save({ pending })
    location.assign(address)
    // Stays busy until the page is gone.
    await new Promise<never>(() => undefined)
  }

  async #revokeTokens(): Promise<void> {
    const tokens = this.#tokens
    this.#tokens = undefined
    if (tokens && this.#server) await this.#service.revoke(this.#server, tokens)
  }

  // State

  async #setDocuments(documents: readonly DemoDocument[]): Promise<void> {
    await this.#store.save(documents.map(({ name, content }) => ({ name, content })))
    this.#show({ documents })
  }

  async #forget(): Promise<void> {
    await this.#store.clear()
    forgetSession()
    this.#session = newSession()
    this.#store = new DocumentStore(this.#session.id)
    this.#show({
      documents: [],
      choices: [],
      digests: [],
      chosen: undefined,
      result: undefined,
      notice: undefined,
    })
  }

  /** Runs one action at a time; what goes wrong is told, and nothing is lost by it. */
  async #attempt(busy: string, action: () => Promise<void>): Promise<void> {
    this.#show({ busy, notice: undefined })
    try {
      await action()
    } catch (error) {
      this.#warn(...explainError(error))
    } finally {
      this.#show({ busy: undefined })
    }
  }

  #requireServer(): ServerMetadata {
    if (!this.#server)
      throw new Error('The signing service did not answer. Please reload the page.')
    return this.#server
  }

  #busy(busy: string): void {
    this.#show({ busy })
  }

  #warn(title: string, { text, link }: { text: string; link?: string }): void {
    this.#show({ notice: { tone: 'problem', title, text, ...(link ? { link } : {}) } })
  }

  #tell(title: string, { text }: { text: string }): void {
    this.#show({ notice: { tone: 'information', title, text } })
  }

  #show(change: Partial<State>): void {
    this.state = { ...this.state, ...change }
    this.#changed(this.state)
  }

  #log(exchange: Exchange): void {
    const log = [...this.state.log, exchange].slice(-60)
    this.#save({ log })
    this.#show({ log })
  }

  #save(change: Partial<Session>): void {
    this.#replaceSession({ ...this.#session, ...change })
  }

  #replaceSession(session: Session): void {
    this.#session = session
    saveSession(session)
  }
}

function redirectUri(): string {
  return `${location.origin}/demo/`
}

async function checkDetached(
  document: DemoDocument,
  signature: Bytes,
  { certificate, signing }: Choice,
): Promise<DetachedSignature> {
  const valid = await verify(certificate.publicKey, signing.hash, document.content, signature)
  return { kind: 'detached', document, signature, valid }
}

function isPassed(report: Report | null): boolean {
  return report?.indication === 'TOTAL-PASSED'
}

/** Longest-lived first. */
const PDF_LEVELS = ['AdES-B-LT', 'AdES-B-T', 'AdES-B-B']

function pdfLevelOf({ methods, signature_formats, conformance_levels = [] }: ServiceInfo) {
  const isThere = methods.includes('signatures/signDoc') && signature_formats?.formats.includes('P')
  return (isThere && PDF_LEVELS.find((level) => conformance_levels.includes(level))) || null
}

/** Credentials this page can sign with; it leaves out keys and certificates it cannot read. */
function readChoice(info: CredentialInfo): Choice[] {
  const signing = signingWith(info.key)
  const chain = (info.cert.certificates ?? []).map(fromBase64)
  const [leaf] = chain
  if (!signing || !leaf || info.key.status !== 'enabled') return []
  try {
    return [{ info, chain, signing, certificate: readCertificate(leaf) }]
  } catch {
    return []
  }
}

function describe(documents: readonly DemoDocument[]): string {
  const names = documents.map(({ name }) => name).join(', ')
  const text =
    documents.length === 1
      ? names
      : `${t('{count} documents', { count: documents.length })}: ${names}`
  return text.length <= 500 ? text : `${text.slice(0, 499)}…`
}

function without<T extends object, K extends keyof T>(value: T, ...keys: K[]): Omit<T, K> & T {
  const copy = { ...value }
  for (const key of keys) delete copy[key]
  return copy
}

const UNTRUSTED: Record<(Callback & { kind: 'untrusted' })['why'], string> = {
  unexpected: 'Nothing had been asked for in this tab. Please go on from here.',
  state: 'It does not belong to the request this tab had sent. Please try again.',
  iss: 'It does not name the service that was asked. Please try again.',
  incomplete: 'It carries neither a code nor a reason. Please try again.',
}

function explainRefusal(refused: Callback & { kind: 'refused' }): [string, { text: string }] {
  const { scope, error, description } = refused
  if (error === 'access_denied') {
    return scope === 'service'
      ? ['You did not sign in', { text: 'Your documents are still here. You can try again.' }]
      : [
          'You did not approve the signature',
          { text: 'Nothing was signed. You can try again, or choose another certificate.' },
        ]
  }
  if (error === 'temporarily_unavailable') {
    return ['The service is busy', { text: 'Please try again in a moment. Nothing was signed.' }]
  }
  return [
    scope === 'service' ? 'Signing in did not work' : 'The signature could not be approved',
    {
      text: t('The service says: {why}. Nothing was signed; you can try again.', {
        why: description || error,
      }),
    },
  ]
}

/** The service takes no document of that size. */
class TooLargeError extends Error {
  override readonly name = 'TooLargeError'
  readonly document: string
  constructor(document: string) {
    super(`${document} is too large`)
    this.document = document
  }
}

function isTooLarge(error: unknown): boolean {
  return error instanceof RefusedError && error.status === 413
}

function explainError(error: unknown): [string, { text: string }] {
  if (error instanceof TooLargeError) {
    const text = t('“{name}” was not signed. Please choose a smaller document.', {
      name: error.document,
    })
    return ['A document is too large for the service', { text }]
  }
  if (error instanceof RefusedError && (error.status === 429 || error.status === 503)) {
    return ['The service is busy', { text: 'Please try again in a moment. Nothing was signed.' }]
  }
  if (error instanceof RefusedError) {
    return [
      'The service refused the request',
      {
        text: t(
          'It says: {why}. You can try again from here, or go back and choose something else.',
          { why: error.message },
        ),
      },
    ]
  }
  if (error instanceof TypeError) {
    return [
      'The service cannot be reached',
      { text: 'Please check that it is running, then reload the page. Your documents are kept.' },
    ]
  }
  return ['That did not work', { text: error instanceof Error ? error.message : String(error) }]
}

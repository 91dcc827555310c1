import assert from 'node:assert/strict'
import { createHash, randomBytes, randomUUID } from 'node:crypto'
import { Agent, request } from 'node:http'
import { setTimeout as pause } from 'node:timers/promises'
import { ChainVerifier } from '../../src/audit/chain.js'
import { totpCode } from '../../src/identity/totp.js'
import { ECDSA_SHA256, pkce, postForm, SHA256, type Rssp, type TestClient } from './rssp.js'
import { SignerBrowser } from './signer-browser.js'

const DIGESTS_PER_APPROVAL = 500
export const CLIENTS = 3
/** Settings of a server under load: on a slow machine an approval has to last. */
export const LASTING = { credentialTokenSeconds: 3600 }
/** In the place of a status. */
const NO_ANSWER = 0
/** Before asking again somebody who may not be there. */
const PAUSE_MS = 20

interface Answer {
  readonly status: number
  readonly text: string
}

/** What audit records of signing hold. */
interface SigningRecord {
  readonly operationId: string
  readonly signatures: readonly string[]
  readonly digests: readonly string[]
}

/** Digests that may still be signed, and with what. */
interface Approved {
  readonly token: string
  readonly credentialID: string
  readonly digests: Buffer[]
}

/**
 * Applications that sign without a pause through one address, on connections they keep. They try nothing a
 * second time, what fails is remembered; unless they are told to ask again, under the same
 * `Idempotency-Key`, what became of a request that got no answer.
 */
export class SigningLoad {
  /** Signatures by digest, both base64, as the applications hold them. */
  readonly held = new Map<string, string>()
  readonly failures: string[] = []
  /** Digests of which nobody can tell whether they were signed: whoever signed was killed. */
  readonly unknown = new Set<string>()
  readonly #rssp: Rssp
  readonly #baseUrl: string
  readonly #client: TestClient
  readonly #agent = new Agent({ keepAlive: true, maxSockets: CLIENTS })
  readonly #watchers = new Set<{ count: number; reached: () => void }>()
  #approved: Approved | null = null
  #approving: Promise<void> | null = null
  #isOver = false
  #repeats = false
  /** What others had signed before. */
  #before = { consumed: 0, records: 0 }
  #done: Promise<unknown> = Promise.resolve()

  private constructor(rssp: Rssp, baseUrl: string, client: TestClient) {
    this.#rssp = rssp
    this.#baseUrl = baseUrl
    this.#client = client
  }

  /**
   * @param rssp fills the database, and looks into it at the end
   * @param baseUrl where the requests go
   */
  static async start(rssp: Rssp, baseUrl: string, { repeats = false } = {}): Promise<SigningLoad> {
    const load = new SigningLoad(rssp, baseUrl, await rssp.addClient())
    load.#repeats = repeats
    load.#before = await load.#onRecord()
    await load.#approve()
    load.#done = Promise.all(Array.from({ length: CLIENTS }, () => load.#sign()))
    return load
  }

  /** Resolves when so many more signatures were made; a failure ends the waiting, too. */
  async signing(more: number): Promise<void> {
    const count = this.held.size + more
    if (this.failures.length > 0) return
    await new Promise<void>((reached) => this.#watchers.add({ count, reached }))
  }

  /** Lets the requests under way end. */
  async stop(): Promise<void> {
    this.#isOver = true
    await this.#done
    this.#agent.destroy()
  }

  /** Compares what the applications hold with the ledger and the audit log. */
  async assertNothingLostOrDoubled(): Promise<void> {
    assert.deepEqual(this.failures, [])
    const { services } = this.#rssp
    const { consumed } = await this.#onRecord()
    assert.equal(consumed - this.#before.consumed, this.held.size, 'ledger rows and signatures')
    const reserved = { where: { state: 'reserved' } }
    assert.equal(await services.database.read.authorisedDigest.count(reserved), 0)
    const verifier = new ChainVerifier([])
    const signed: string[] = []
    const requested: { readonly operationId: string; readonly digests: readonly string[] }[] = []
    /** Nothing was signed, and the digests were given back. */
    const failed = new Set<string>()
    for await (const record of services.audit.read(1)) {
      verifier.add(record)
      if (record.seq <= this.#before.records) continue
      const detail = JSON.parse(record.detail) as Partial<SigningRecord>
      const { operationId = '', signatures = [], digests = [] } = detail
      if (record.event === 'signature.created') signed.push(...signatures)
      if (record.event === 'signature.requested') requested.push({ operationId, digests })
      if (record.event === 'signature.failed') failed.add(operationId)
    }
    verifier.finish()
    assert.deepEqual(verifier.problems, [])
    const asked = requested
      .filter(({ operationId }) => !failed.has(operationId))
      .flatMap(({ digests }) => digests)
    assert.equal(new Set(asked).size, asked.length, 'a digest was given to the token twice')
    const held = [...this.held.values()].map((signature) =>
      createHash('sha256').update(Buffer.from(signature, 'base64')).digest('hex'),
    )
    assert.deepEqual(held.toSorted(), signed.toSorted(), 'signatures held and signatures on record')
  }

  async #onRecord() {
    const { read } = this.#rssp.services.database
    const consumed = await read.authorisedDigest.count({ where: { state: 'consumed' } })
    return { consumed, records: await read.auditRecord.count() }
  }

  async #sign(): Promise<void> {
    while (!this.#isOver && this.failures.length === 0) {
      const digest = this.#approved?.digests.pop()
      const { token, credentialID } = this.#approved ?? { token: '', credentialID: '' }
      if (digest === undefined) {
        this.#approving ??= this.#approve()
        await this.#approving
        continue
      }
      const hash = digest.toString('base64')
      const failure = await this.#signOne(hash, token, credentialID)
      if (failure !== null) this.failures.push(failure)
      for (const watcher of this.#watchers) {
        if (this.held.size < watcher.count && failure === null) continue
        this.#watchers.delete(watcher)
        watcher.reached()
      }
    }
    for (const { reached } of this.#watchers) reached()
  }

  /** Null when there is a signature now, or can be none; else what went wrong. */
  async #signOne(hash: string, token: string, credentialID: string): Promise<string | null> {
    const body = JSON.stringify({ credentialID, hashes: [hash], signAlgo: ECDSA_SHA256 })
    const key = randomUUID()
    for (let isRepeated = false; ; isRepeated = true) {
      const answer = await this.#post('/csc/v2/signatures/signHash', body, token, key)
      if (answer.status === 200) {
        const { signatures } = JSON.parse(answer.text) as { signatures: string[] }
        this.held.set(hash, signatures[0] ?? '')
        return null
      }
      if (this.#repeats && [NO_ANSWER, 502, 503].includes(answer.status)) {
        await pause(PAUSE_MS)
        continue
      }
      if (!isRepeated) return `${answer.status} ${answer.text}`
      this.unknown.add(hash)
      return null
    }
  }

  #post(path: string, body: string, token: string, key: string): Promise<Answer> {
    const headers = {
      'Content-Type': 'application/json',
      Authorization: `Bearer ${token}`,
      'Idempotency-Key': key,
    }
    return new Promise((resolve) => {
      const failed = (error: Error) => resolve({ status: NO_ANSWER, text: String(error) })
      const options = { method: 'POST', agent: this.#agent, headers }
      const sent = request(`${this.#baseUrl}${path}`, options, (response) => {
        let text = ''
        response.setEncoding('utf8')
        response.on('data', (chunk: string) => (text += chunk))
        response.on('end', () => resolve({ status: response.statusCode ?? 0, text }))
        response.on('error', failed)
      })
      sent.on('error', failed)
      sent.end(body)
    })
  }

  /** The whole way over the pages, through the same address as the signing. */
  async #approve(): Promise<void> {
    let approved: Approved | null = null
    while (approved === null && !this.#isOver && this.failures.length === 0) {
      try {
        approved = await this.#approvalOfSomebody()
      } catch (error) {
        if (this.#repeats) await pause(PAUSE_MS)
        else this.failures.push(String(error))
      }
    }
    this.#approved = approved
    this.#approving = null
  }

  async #approvalOfSomebody(): Promise<Approved> {
    const user = await this.#rssp.addUser()
    const multisign = DIGESTS_PER_APPROVAL
    const credential = await this.#rssp.addCredential(user, { multisign })
    const client = this.#client
    const digests = Array.from({ length: DIGESTS_PER_APPROVAL }, () => randomBytes(32))
    const { code_verifier, code_challenge } = pkce()
    const secret = { client_id: client.client_id, client_secret: client.client_secret ?? '' }
    const redirect_uri = client.redirect_uris[0] ?? ''
    const pushed = await postForm(`${this.#baseUrl}/oauth2/pushed_authorize`, {
      ...secret,
      ...{ response_type: 'code', redirect_uri, scope: 'credential' },
      ...{ credentialID: credential.id, numSignatures: String(digests.length) },
      hashes: digests.map((digest) => digest.toString('base64url')).join(','),
      ...{ hashAlgorithmOID: SHA256, code_challenge, code_challenge_method: 'S256' },
    })
    assert.equal(pushed.status, 201, JSON.stringify(pushed.body))
    const answer = await new SignerBrowser(this.#baseUrl).authorize(
      { client_id: client.client_id, request_uri: pushed.body.request_uri },
      { ...user, otp: () => totpCode(user.totpSecret, this.#rssp.clock.now()) },
    )
    const { status, body } = await postForm(`${this.#baseUrl}/oauth2/token`, {
      ...{ grant_type: 'authorization_code', code: answer.get('code') ?? '', code_verifier },
      ...{ redirect_uri, ...secret },
    })
    assert.equal(status, 200, JSON.stringify(body))
    return { token: body.access_token as string, credentialID: credential.id, digests }
  }
}

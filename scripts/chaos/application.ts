import { createHash, randomUUID } from 'node:crypto'
import { request } from 'node:http'
import { setTimeout as pause } from 'node:timers/promises'
import { SHA256 } from '../../test/support/rssp.js'
import type { Ending, SigningRequest, Story } from './history.js'
import type { Journal } from './journal.js'
import type { StoryPlan } from './plan.js'

const ANSWER_MS = 3500
const TRIES = 6
const BETWEEN_TRIES_MS = 150
const BETWEEN_POLLS_MS = 60
/** In the place of a status. */
const NO_ANSWER = 0

/** A credential as an application knows it. */
export interface KnownCredential {
  readonly id: string
  readonly userId: string
  readonly signAlgo: string
  /** For credentials/authorize; null where approvals are given on our pages. */
  readonly pin: string | null
}

/** What an application needs for one story. */
export interface StoryStart {
  readonly name: string
  readonly plan: StoryPlan
  readonly credential: KnownCredential
  /** Somebody else's. */
  readonly foreign: KnownCredential
  readonly documents: readonly string[]
  /** Of the approval laid out, and the authorisation it is for; or of the person, and null. */
  readonly token: string
  readonly authorisationId: string | null
}

interface Answer {
  readonly status: number
  readonly body: Readonly<Record<string, unknown>>
}

interface Ask {
  readonly digests: readonly string[]
  readonly sad?: string | null
  readonly key?: string | null
  readonly credentialId?: string
  readonly later?: boolean
}

export function digestOf(document: string): string {
  return createHash('sha256').update(document).digest('base64')
}

/** Lives through one story, and remembers every request and answer of it. */
export class Application implements Story {
  readonly name: string
  readonly userId: string
  readonly credentialId: string
  readonly authorisationId: string | null
  readonly agreed = new Set<string>()
  readonly requests: SigningRequest[] = []
  readonly endings: Ending[] = []
  numSignatures: number
  readonly #start: StoryStart
  readonly #journal: Journal
  readonly #doors: readonly string[]
  readonly #digests: readonly string[]
  /** Questions to which there is no answer yet, though there should be one. */
  #open: (() => Promise<unknown>)[] = []
  #steps = 0

  /** @param parts.doors origins of the processes */
  constructor(parts: {
    readonly start: StoryStart
    readonly journal: Journal
    readonly doors: readonly string[]
  }) {
    const { start, journal, doors } = parts
    this.name = start.name
    this.userId = start.credential.userId
    this.credentialId = start.credential.id
    this.authorisationId = start.authorisationId
    this.#start = start
    this.#journal = journal
    this.#doors = doors
    this.#digests = start.documents.map(digestOf)
    this.numSignatures = 0
    if (start.authorisationId !== null) this.#agree(this.#digests)
  }

  async live(): Promise<void> {
    const { plan } = this.#start
    const all = this.#digests
    switch (plan.kind) {
      case 'single':
        for (const digest of all) await this.#signAndRepeat({ digests: [digest] })
        break
      case 'batch':
        await this.#signAndRepeat({ digests: all })
        break
      case 'split':
        await this.#signAndRepeat({ digests: all.slice(0, 2) })
        if (all.length > 2) await this.#signAndRepeat({ digests: all.slice(2) })
        break
      case 'race': {
        const ask = { digests: all, key: this.#newKey() }
        await Promise.all([this.#sign(ask), this.#sign(ask)])
        break
      }
      case 'foreign': {
        const foreign = digestOf(`${this.name} agreed to by nobody`)
        await this.#sign({ digests: [...all.slice(1), foreign], key: this.#newKey() })
        await this.#signAndRepeat({ digests: all })
        break
      }
      case 'other-credential':
        await this.#sign({ digests: all, credentialId: this.#start.foreign.id })
        await this.#signAndRepeat({ digests: all })
        break
      case 'later':
        await this.#sign({ digests: all, key: this.#newKey(), later: true })
        break
      case 'explicit':
        await this.#withSad(all, async (sad) => {
          await this.#signAndRepeat({ digests: all, sad })
          // One value, one call: this must not sign, whatever it is asked.
          if (plan.again) await this.#sign({ digests: all.slice(1), sad })
        })
        break
      case 'extend':
        await this.#withSad(all, (sad) => this.#extend(sad))
        break
      case 'revoke':
        await this.#withSad(all, async (sad) => {
          const signing = plan.again ? this.#sign({ digests: all, sad }) : null
          await this.#revoke(sad)
          await signing
          await this.#sign({ digests: all, sad })
        })
    }
  }

  /** Asks once more for what stayed unanswered, when everything is well again. */
  async close(): Promise<void> {
    const open = this.#open
    this.#open = []
    for (const ask of open) await ask()
  }

  async #signAndRepeat(ask: Ask): Promise<void> {
    const named = { key: this.#newKey(), ...ask }
    await this.#sign(named)
    // Without a key this is a second use.
    if (this.#start.plan.again) await this.#sign(named)
  }

  #newKey(): string | null {
    return this.#start.plan.keyed ? randomUUID() : null
  }

  #agree(digests: readonly string[]): void {
    for (const digest of digests) this.agreed.add(digest)
    this.numSignatures = Math.max(this.numSignatures, digests.length)
  }

  /** Sends it again where nobody knows what became of it. */
  async #sign(ask: Ask): Promise<void> {
    for (let tries = 0; tries < TRIES; tries += 1) {
      const status = await this.#signOnce(ask)
      if (isKnown(status)) return
      // Nobody will ever know; asking once more has to change nothing.
      if (status === 500 && tries > 0) break
      await pause(BETWEEN_TRIES_MS * (tries + 1))
    }
    if (ask.key) this.#open.push(() => this.#signOnce(ask))
  }

  async #signOnce(ask: Ask): Promise<number> {
    const { digests, sad = null, key = null, credentialId, later } = ask
    await pause(this.#start.plan.pauseMs)
    const sent = this.#journal.step()
    const body = {
      ...{ credentialID: credentialId ?? this.credentialId, hashes: digests },
      ...{ hashAlgorithmOID: SHA256, signAlgo: this.#start.credential.signAlgo },
      ...(sad === null ? {} : { SAD: sad }),
      ...(later ? { operationMode: 'A' } : {}),
    }
    const headers: Record<string, string> = key === null ? {} : { 'idempotency-key': key }
    const what = `signHash ${digests.length} digests${key === null ? '' : `, key ${key}`}${later ? ', later' : ''}`
    const accepted = await this.#post('signatures/signHash', body, { what, headers })
    const remember = ({ status, body }: Answer) => {
      const { signatures, error_description: words } = body
      this.requests.push({
        ...{ sent, answered: this.#journal.step(), sad, key, digests, status },
        credentialId: credentialId ?? this.credentialId,
        words: typeof words === 'string' ? words : '',
        signatures: Array.isArray(signatures) ? signatures.map(String) : [],
      })
    }
    const { responseID } = accepted.body
    if (accepted.status !== 200 || typeof responseID !== 'string') {
      remember(accepted)
      return accepted.status
    }
    const fetched = await this.#fetchResult(responseID)
    remember(fetched)
    // Whoever comes back for it finds the same; what was not signed can be asked for again.
    if (!isKnown(fetched.status) || this.#start.plan.again) {
      this.#open.push(async () => remember(await this.#fetchResult(responseID)))
      if (key !== null) this.#open.push(() => this.#signOnce(ask))
    }
    return 200
  }

  async #fetchResult(responseID: string): Promise<Answer> {
    let answer: Answer = { status: NO_ANSWER, body: {} }
    for (let tries = 0; tries < TRIES; tries += answer.status === 202 ? 0.2 : 1) {
      await pause(BETWEEN_POLLS_MS)
      answer = await this.#post('signatures/signPolling', { responseID }, { what: 'signPolling' })
      if (saysWhatBecameOfIt(answer)) return answer
    }
    return answer.status >= 500 ? answer : { status: NO_ANSWER, body: {} }
  }

  async #withSad(digests: readonly string[], use: (sad: string) => Promise<void>): Promise<void> {
    const { credential } = this.#start
    this.#agree(digests)
    const body = {
      ...{ credentialID: credential.id, numSignatures: digests.length, hashes: digests },
      ...{ hashAlgorithmOID: SHA256, authData: [{ id: 'PIN', value: credential.pin }] },
    }
    const { SAD } = (await this.#post('credentials/authorize', body, { what: 'authorize' })).body
    if (typeof SAD === 'string') await use(SAD)
  }

  /** For other digests than those it was given for; then both are tried. */
  async #extend(sad: string): Promise<void> {
    const [first = '', ...rest] = this.#digests
    const { again } = this.#start.plan
    if (again) await this.#sign({ digests: [first], sad })
    const others = rest.map((_, index) => digestOf(this.#start.documents[index] + EXTENDED))
    const count = this.numSignatures
    this.#agree(others)
    this.numSignatures = count
    const body = {
      ...{ credentialID: this.credentialId, hashes: others },
      ...{ hashAlgorithmOID: SHA256, SAD: sad },
    }
    const answer = await this.#post('credentials/extendTransaction', body, { what: 'extend' })
    const { SAD: next } = answer.body
    if (answer.status === 200 && typeof next === 'string') {
      this.endings.push({ sad, how: 'extended', confirmed: this.#journal.step() })
      await this.#sign({ digests: others, sad: next, key: this.#newKey() })
    }
    await this.#sign({ digests: this.#digests, sad })
  }

  async #revoke(sad: string): Promise<void> {
    const { status } = await this.#post('auth/revoke', { token: sad }, { what: 'revoke' })
    if (status !== 204) return
    this.endings.push({ sad, how: 'revoked', confirmed: this.#journal.step() })
  }

  /** Through the next door of the plan. */
  async #post(
    method: string,
    body: unknown,
    { what, headers = {} }: { what: string; headers?: Record<string, string> },
  ): Promise<Answer> {
    const { doors } = this.#start.plan
    const number = doors[Math.min(this.#steps, doors.length - 1)] ?? 0
    this.#steps += 1
    const door = number % this.#doors.length
    const answer = await post(`${this.#doors[door]}/csc/v2/${method}`, body, {
      ...headers,
      authorization: `Bearer ${this.#start.token}`,
    })
    const words = answer.body['error_description'] ?? answer.body['lost'] ?? ''
    this.#journal.tell(
      this.name,
      `${what}, process ${door}: ${answer.status} ${typeof words === 'string' ? words : ''}`,
    )
    return answer
  }
}

/** What a document is called once its SAD was traded for another. */
export const EXTENDED = ', extended'

/**
 * A result can be fetched for a time and with a token that lives, by the clock of whoever is asked: when
 * that is over, or a clock was stepped, nothing is said of what was signed.
 */
function isWithheld({ status, body }: Answer): boolean {
  if (status === 401) return true
  return status === 400 && body['error_description'] === 'Invalid parameter requestID'
}

function saysWhatBecameOfIt(answer: Answer): boolean {
  return answer.status !== 202 && isKnown(answer.status) && !isWithheld(answer)
}

/** Whether a request is answered for good; else it may or may not have been worked on. */
function isKnown(status: number): boolean {
  return status !== NO_ANSWER && status !== 429 && status < 500
}

function post(url: string, body: unknown, headers: Record<string, string>): Promise<Answer> {
  return new Promise((resolve) => {
    const lost = (error: Error) => resolve({ status: NO_ANSWER, body: { lost: error.message } })
    const options = {
      ...{ method: 'POST', agent: false, signal: AbortSignal.timeout(ANSWER_MS) },
      headers: { 'content-type': 'application/json', ...headers },
    }
    const sent = request(url, options, (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => (text += chunk))
      response.on('error', lost)
      response.on('end', () => {
        try {
          const parsed = text === '' ? {} : (JSON.parse(text) as Answer['body'])
          resolve({ status: response.statusCode ?? NO_ANSWER, body: parsed })
        } catch {
          lost(new Error('not JSON'))
        }
      })
    })
    sent.on('error', lost)
    sent.end(JSON.stringify(body))
  })
}

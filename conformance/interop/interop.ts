/**
 * Has a server sign documents in every format and at every level it offers, with every kind of key, and lets
 * programs of others judge the results; tampered copies have to fail. See README.md beside this file.
 */
import type { X509Certificate } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { RSA_PSS } from '../algorithms.js'
import { choicesOf, type Choice, type KnownCredential } from '../credential-view.js'
import { stringsOf, type Answer } from '../exchange.js'
import { succeeded } from '../expectations.js'
import { Subject } from '../subject.js'
import { loadTarget } from '../target.js'
import { judgesWith, type Exhibit, type Judge } from './judges.js'
import {
  contentName,
  fileName,
  isPossible,
  itemOf,
  kindBeside,
  kindsOffered,
  labelOf,
  newOrder,
  parallelOrder,
  type Kind,
  type Order,
} from './orders.js'
import type { ValidationInfo } from './samples.js'
import { tampered } from './tampered.js'

const { values: options } = parseArgs({
  options: {
    config: { type: 'string', default: 'data/conformance.json' },
    /** An interpreter with pyHanko. */
    python: { type: 'string' },
    /** A folder with the libraries of DSS. */
    dss: { type: 'string' },
    /** The server knows ASiC containers and visible signatures, as ours does. */
    extensions: { type: 'boolean', default: false },
    /** Labels to judge, such as `secp256r1 P`: an expression. */
    only: { type: 'string', default: '' },
    /** Every hash that a key takes, in the place of the first. */
    'every-hash': { type: 'boolean', default: false },
    keep: { type: 'string' },
  },
})
/** With fewer, a signer would have to approve too often. */
const FEWEST_AT_ONCE = 20
const MOST_AT_ONCE = 50
const STRUCTURE_ALONE = 'qpdf --check'
/** JWS knows one hash for each curve (RFC 7518, 3.4). */
const HASHES_OF_CURVES: Readonly<Record<string, string>> = {
  prime256v1: 'sha256',
  secp384r1: 'sha384',
  secp521r1: 'sha512',
}

const folder = options.keep ?? mkdtempSync(join(tmpdir(), 'openrssp-interop-'))
mkdirSync(folder, { recursive: true })
const say = (line: string) => void process.stdout.write(`${line}\n`)
const only = new RegExp(options.only)

const subject = new Subject(loadTarget(options.config), {
  fetch,
  time: { now: () => new Date(), advance: null },
})
await subject.start()
const judges = judgesWith(options.python ?? null, options.dss ?? null)
if (options.python === undefined) say('pyHanko is not asked: no --python was given')
if (options.dss === undefined) say('DSS is not asked: no --dss was given')
const kinds = kindsOffered(subject.info, options.extensions)
const levels = subject.info.strings('conformance_levels').map((name) => name.slice('AdES-'.length))
let failures = 0
try {
  for (const [credential, choice] of await kindsOfKeys()) await tryKey(credential, choice)
} finally {
  for (const judge of judges) judge.close?.()
  await subject.close()
}
say(
  failures === 0 ? `All are content. Files are in ${folder}` : `${failures} complaints; ${folder}`,
)
process.exitCode = failures === 0 ? 0 : 1

/** Of each kind of key the cheapest to use, with each padding. */
async function kindsOfKeys(): Promise<[KnownCredential, Choice][]> {
  const found = new Map<string, [KnownCredential, Choice]>()
  for (const signer of subject.target.signers.keys()) {
    for (const credential of subject.cheapestFirst(await subject.credentials(signer))) {
      if (!credential.enabled || credential.multisign < FEWEST_AT_ONCE) continue
      for (const choice of waysOf(credential)) {
        const name = keyName(credential, choice)
        if (!found.has(name)) found.set(name, [credential, choice])
      }
    }
  }
  return [...found.values()]
}

/** The first way of `key.algo`, and the first with RSASSA-PSS; or all of them. */
function waysOf(credential: KnownCredential): Choice[] {
  const choices = choicesOf(credential)
  const isPss = ({ algorithm }: Choice) => algorithm.signAlgo === RSA_PSS
  if (options['every-hash']) return choices
  const first = [choices.find((each) => !isPss(each)), choices.find(isPss)]
  return first.flatMap((each) => each ?? [])
}

function keyName({ certificates }: KnownCredential, { algorithm, hash }: Choice): string {
  const details = certificates[0]?.publicKey.asymmetricKeyDetails
  const key = details?.namedCurve ?? `rsa-${details?.modulusLength ?? '?'}`
  const name = options['every-hash'] ? `${key}-${hash.name}` : key
  return algorithm.signAlgo === RSA_PSS ? `${name}-pss` : name
}

function takesFormat({ certificates }: KnownCredential, { hash }: Choice, { format }: Kind) {
  const curve = certificates[0]?.publicKey.asymmetricKeyDetails?.namedCurve
  return format !== 'J' || curve === undefined || HASHES_OF_CURVES[curve] === hash.name
}

async function tryKey(credential: KnownCredential, choice: Choice): Promise<void> {
  const key = keyName(credential, choice)
  const anchors = {
    ...writeCertificates(key, credential.certificates),
    isPss: key.endsWith('-pss'),
  }
  const taken = kinds.filter((kind) => takesFormat(credential, choice, kind))
  const wanted = taken.flatMap((kind) => ordersOf(key, kind, choice))
  const made = await signed(credential, choice, wanted)
  const beside = taken.flatMap((kind) => besides(key, kind, { made, hash: choice.hash }))
  for (const [order, signature] of [...made, ...(await signed(credential, choice, beside))]) {
    if (only.test(order.label)) await judge(order, signature, anchors)
  }
}

function ordersOf(key: string, kind: Kind, { hash }: Choice): Order[] {
  if (kind.beside !== null) return []
  return levels
    .filter((level) => isPossible(kind, level) && isWanted(key, kind, level))
    .map((level) => newOrder(key, kind, level, hash))
}

/** Itself, or as something to put a signature beside. */
function isWanted(key: string, kind: Kind, level: string): boolean {
  const own = labelOf(key, kind, level)
  const adding = kinds.filter((each) => {
    const base = kindBeside(each)
    return base !== null && labelOf(key, base, level) === own
  })
  return [kind, ...adding].some((each) => only.test(labelOf(key, each, level)))
}

type Made = ReadonlyMap<Order, Buffer>

function besides(
  key: string,
  kind: Kind,
  { made, hash }: { made: Made; hash: Choice['hash'] },
): Order[] {
  const before = kindBeside(kind)
  if (before === null) return []
  return levels.flatMap((level) => {
    const label = labelOf(key, kind, level)
    const wanted = labelOf(key, before, level)
    const base = [...made].find(([order]) => order.label === wanted)
    if (!base || !only.test(label)) return []
    return [parallelOrder(label, kind, { base: base[0], signature: base[1], hash })]
  })
}

/** In as few calls as the credential takes; digests and documents apart, as not every server takes both. */
async function signed(
  credential: KnownCredential,
  choice: Choice,
  wanted: readonly Order[],
): Promise<Made> {
  const made = new Map<Order, Buffer>()
  for (const byDigest of [false, true]) {
    const orders = wanted.filter((order) => order.byDigest === byDigest)
    const most = Math.min(credential.multisign, MOST_AT_ONCE)
    for (let from = 0; from < orders.length; from += most) {
      const batch = orders.slice(from, from + most)
      const { signatures, validationInfo } = await signBatch(credential, choice, batch)
      batch.forEach((order, at) => {
        const signature = signatures[at]
        const info = order.level === 'B-LT' ? validationInfo : null
        if (signature === undefined) complain(order.label, 'the server', 'returned nothing for it')
        else made.set(order, order.openPdf?.close(signature, info) ?? signature)
      })
    }
  }
  return made
}

interface SignedBatch {
  /** One for each order. */
  readonly signatures: readonly (Buffer | undefined)[]
  /** Of all of them. */
  readonly validationInfo: ValidationInfo | null
}

async function signBatch(
  credential: KnownCredential,
  { algorithm }: Choice,
  batch: readonly Order[],
): Promise<SignedBatch> {
  const documents = batch.map(({ document }) => document)
  const authorised = await subject.authorise(credential, documents, { algorithm })
  const name = batch[0]?.byDigest ? 'documentDigests' : 'documents'
  const body = {
    credentialID: credential.id,
    ...(authorised.SAD === null ? {} : { SAD: authorised.SAD }),
    [name]: batch.map((order) => ({ ...itemOf(order, options.extensions), ...algorithm })),
    returnValidationInfo: batch.some(({ openPdf, level }) => openPdf && level === 'B-LT'),
  }
  const answer = succeeded(await subject.call('signatures/signDoc', body, authorised.bearer))
  const read = (member: string) => (answer.has(member) ? answer.strings(member) : [])
  const [whole, apart] = [read('DocumentWithSignature'), read('SignatureObject')]
  const signatures = batch.map((order) => {
    const text = (isApart(order) ? apart : whole).shift()
    return text === undefined ? undefined : Buffer.from(text, 'base64')
  })
  return { signatures, validationInfo: validationInfoIn(answer) }
}

function validationInfoIn(answer: Answer): ValidationInfo | null {
  if (!answer.has('validationInfo')) return null
  const info = answer.object('validationInfo')
  const some = (name: keyof ValidationInfo) => (name in info ? stringsOf(info, name) : [])
  return { ocsp: some('ocsp'), crl: some('crl'), certificates: some('certificates') }
}

function isApart({ byDigest, envelope, container }: Order): boolean {
  return byDigest || (envelope === 'Detached' && container === null)
}

function writeCertificates(name: string, certificates: readonly X509Certificate[]) {
  const [, ...above] = certificates
  const root = join(folder, `${name}-root.pem`)
  const intermediates = join(folder, `${name}-chain.pem`)
  writeFileSync(root, above.at(-1)?.toString() ?? '')
  writeFileSync(intermediates, above.map(String).join('\n'))
  return { root, intermediates }
}

async function judge(
  order: Order,
  signature: Buffer,
  anchors: Pick<Exhibit, 'root' | 'intermediates' | 'isPss'>,
): Promise<void> {
  const { label, format, envelope, container, byDigest, beside, level } = order
  const file = join(folder, fileName(order))
  const content = isApart(order) && !order.openPdf ? join(folder, contentName(label)) : null
  writeFileSync(file, signature)
  if (content !== null) writeFileSync(content, order.content)
  const kind = { format, envelope, container, byDigest, beside }
  const exhibit = { ...kind, level, file, content, ...anchors }
  const competent = judges.filter((each) => each.judges(exhibit))
  const verdicts = await Promise.all(competent.map((each) => each.complaint(exhibit)))
  verdicts.forEach((complaint, index) => {
    if (complaint !== null) complain(label, competent[index]?.name ?? '', complaint)
  })
  await demandAlarm(order, exhibit, competent)
  say(`${label}: ${competent.map(({ name }) => name).join(', ')}`)
}

/** One letter of the document is another: whoever is still content does not look. */
async function demandAlarm(order: Order, exhibit: Exhibit, competent: readonly Judge[]) {
  const original = readFileSync(exhibit.content ?? exhibit.file)
  const changed = await tampered(original, order, exhibit)
  if (changed === null) return complain(order.label, 'this job', 'found nothing to change')
  const path = `${exhibit.content ?? exhibit.file}.tampered`
  writeFileSync(path, changed)
  const copy = exhibit.content === null ? { ...exhibit, file: path } : { ...exhibit, content: path }
  const alert = competent.filter(({ name }) => name !== STRUCTURE_ALONE)
  const verdicts = await Promise.all(alert.map((each) => each.complaint(copy)))
  verdicts.forEach((complaint, index) => {
    if (complaint !== null) return
    complain(order.label, alert[index]?.name ?? '', 'did not see the change')
  })
}

function complain(label: string, who: string, what: string): void {
  failures += 1
  say(`${label}: ${who} complains: ${what}`)
}

/**
 * Has a server sign documents in every format and at every level it offers, with every kind of key, and lets
 * programs of others judge the results; tampered copies have to fail. See README.md beside this file.
 */
import { createHash, type X509Certificate } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { RSA_PSS, type Document, type Hash } from '../algorithms.js'
import { choicesOf, type Choice, type KnownCredential } from '../credential-view.js'
import { succeeded } from '../expectations.js'
import { Subject } from '../subject.js'
import { loadTarget } from '../target.js'
import { judgesWith, type Exhibit, type Judge } from './judges.js'
import { samplePdf, sampleText, sampleXml } from './samples.js'

const { values: options } = parseArgs({
  options: {
    config: { type: 'string', default: 'data/conformance.json' },
    /** An interpreter with pyHanko. */
    python: { type: 'string' },
    keep: { type: 'string' },
  },
})
const folder = options.keep ?? mkdtempSync(join(tmpdir(), 'openrssp-interop-'))
mkdirSync(folder, { recursive: true })
const say = (line: string) => void process.stdout.write(`${line}\n`)

/** One signature to ask for. */
interface Order {
  readonly format: Exhibit['format']
  readonly level: string
  readonly envelope: string
  readonly document: Document
  readonly detached: boolean
}

const ENVELOPES: readonly (readonly [Exhibit['format'], string])[] = [
  ['P', 'Revision'],
  ['P', 'Certification'],
  ['C', 'Attached'],
  ['C', 'Detached'],
  ['X', 'Enveloped'],
  ['X', 'Enveloping'],
  ['J', 'Attached'],
]

const EXTENSIONS = { P: 'pdf', C: 'p7m', X: 'xml', J: 'json' } as const

const subject = new Subject(loadTarget(options.config), {
  fetch,
  time: { now: () => new Date(), advance: null },
})
await subject.start()
const judges = judgesWith(options.python ?? null)
if (options.python === undefined) say('pyHanko is not asked: no --python was given')
let failures = 0
try {
  for (const [credential, choice] of await kindsOfKeys()) await tryKey(credential, choice)
} finally {
  await subject.close()
}
say(
  failures === 0 ? `All are content. Files are in ${folder}` : `${failures} complaints; ${folder}`,
)
process.exitCode = failures === 0 ? 0 : 1

/** Of each kind of key the cheapest to use, with each padding. */
async function kindsOfKeys(): Promise<[KnownCredential, Choice][]> {
  const kinds = new Map<string, [KnownCredential, Choice]>()
  for (const signer of subject.target.signers.keys()) {
    for (const credential of subject.cheapestFirst(await subject.credentials(signer))) {
      if (!credential.enabled || credential.multisign < orders(credential, null).length) continue
      const [plain, ...others] = choicesOf(credential)
      const pss = others.find(({ algorithm }) => algorithm.signAlgo === RSA_PSS)
      for (const choice of [plain, pss]) {
        if (!choice) continue
        const name = `${keyName(credential)} ${choice.algorithm.signAlgo}`
        if (!kinds.has(name)) kinds.set(name, [credential, choice])
      }
    }
  }
  return [...kinds.values()]
}

function keyName({ certificates }: KnownCredential): string {
  const details = certificates[0]?.publicKey.asymmetricKeyDetails
  return details?.namedCurve ?? `rsa-${details?.modulusLength ?? '?'}`
}

function orders(credential: KnownCredential, hash: Hash | null): Order[] {
  const { formats = [] } = (subject.info.json?.['signature_formats'] ?? {}) as {
    formats?: string[]
  }
  const levels = subject.info
    .strings('conformance_levels')
    .map((name) => name.slice('AdES-'.length))
  return ENVELOPES.filter(([format]) => formats.includes(format)).flatMap(([format, envelope]) =>
    levels.map((level) => {
      const title = `${keyName(credential)} ${format} ${level} ${envelope}`
      const document = documentOf(sampleFor(format, envelope, title), hash)
      return { format, envelope, document, level, detached: envelope === 'Detached' }
    }),
  )
}

function sampleFor(format: Exhibit['format'], envelope: string, title: string): Buffer {
  if (format === 'P') return samplePdf(title)
  return format === 'X' && envelope === 'Enveloped' ? sampleXml(title) : sampleText(title)
}

function documentOf(bytes: Buffer, hash: Hash | null): Document {
  const { name, oid, bytes: length } = hash ?? { name: 'sha256', oid: '', bytes: 32 }
  const digest = createHash(name).update(bytes).digest()
  return {
    ...{ bytes, digest, hash: { name, oid, bytes: length } },
    base64: digest.toString('base64'),
    base64url: digest.toString('base64url'),
  }
}

async function tryKey(credential: KnownCredential, { algorithm, hash }: Choice): Promise<void> {
  const isPss = algorithm.signAlgo === RSA_PSS
  const name = `${keyName(credential)}${isPss ? '-pss' : ''}`
  const wanted = orders(credential, hash)
  const documents = wanted.map(({ document }) => document)
  const authorised = await subject.authorise(credential, documents, { algorithm })
  const body = {
    credentialID: credential.id,
    ...(authorised.SAD === null ? {} : { SAD: authorised.SAD }),
    documents: wanted.map(({ document, format, level, envelope }) => ({
      document: document.bytes.toString('base64'),
      signature_format: format,
      conformance_level: `AdES-${level}`,
      signed_envelope_property: envelope,
      ...algorithm,
    })),
  }
  const answer = succeeded(await subject.call('signatures/signDoc', body, authorised.bearer))
  const read = (member: string) => (answer.has(member) ? answer.strings(member) : [])
  const [whole, detached] = [read('DocumentWithSignature'), read('SignatureObject')]
  const anchors = writeCertificates(name, credential.certificates)
  for (const order of wanted) {
    const text = (order.detached ? detached : whole).shift()
    const label = `${name} ${order.format} ${order.level} ${order.envelope}`
    if (text === undefined) complain(label, 'the server', 'returned nothing for it')
    else await judge(label, order, Buffer.from(text, 'base64'), { ...anchors, isPss })
  }
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
  label: string,
  { format, level, document, detached }: Order,
  signature: Buffer,
  more: Pick<Exhibit, 'root' | 'intermediates' | 'isPss'>,
): Promise<void> {
  const file = join(folder, `${label.replaceAll(' ', '_')}.${EXTENSIONS[format]}`)
  const content = detached ? `${file}.content` : null
  writeFileSync(file, signature)
  if (content !== null) writeFileSync(content, document.bytes)
  const exhibit = { ...{ format, level, file, content }, ...more }
  const competent = judges.filter((each) => each.judges(exhibit))
  const verdicts = await Promise.all(competent.map((each) => each.complaint(exhibit)))
  verdicts.forEach((complaint, index) => {
    if (complaint !== null) complain(label, competent[index]?.name ?? '', complaint)
  })
  for (const each of competent) await demandAlarm(label, each, exhibit, document)
  say(`${label}: ${competent.map(({ name }) => name).join(', ')}`)
}

/** One letter of the document is another: whoever is still content does not look. */
async function demandAlarm(label: string, judge: Judge, exhibit: Exhibit, document: Document) {
  if (judge.name.startsWith('qpdf')) return // looks at the structure alone
  const original = readFileSync(exhibit.content ?? exhibit.file)
  const changed = changeTitle(original, exhibit.format, document)
  if (changed === null) return complain(label, 'this job', 'found nothing to change')
  const path = `${exhibit.content ?? exhibit.file}.tampered`
  writeFileSync(path, changed)
  const copy = exhibit.content === null ? { ...exhibit, file: path } : { ...exhibit, content: path }
  if ((await judge.complaint(copy)) === null) complain(label, judge.name, 'did not see the change')
}

/** The first letter of a word of the document, wherever the format keeps it. */
function changeTitle(bytes: Buffer, format: Exhibit['format'], document: Document): Buffer | null {
  if (format === 'J') {
    const text = bytes.toString('utf8')
    const payload = document.bytes.toString('base64url')
    const other = Buffer.from(document.bytes.toString('latin1').replace('W', 'V'), 'latin1')
    if (!text.includes(payload)) return null
    return Buffer.from(text.replace(payload, other.toString('base64url')))
  }
  const plain = bytes.toString('latin1')
  const encoded = document.bytes.toString('base64').slice(0, 8)
  for (const [word, instead] of [
    ['B-', 'C-'],
    [encoded, `X${encoded.slice(1)}`],
  ] as const) {
    const at = plain.indexOf(word)
    if (at >= 0) {
      const changed = plain.slice(0, at) + instead + plain.slice(at + word.length)
      return Buffer.from(changed, 'latin1')
    }
  }
  return null
}

function complain(label: string, who: string, what: string): void {
  failures += 1
  say(`${label}: ${who} complains: ${what}`)
}

import { createHash } from 'node:crypto'
import { readZip, type ZipEntry } from '../../documents/asic/zip.js'
import { fingerprintOf, joinMaterial, NO_MATERIAL } from '../../certificates/material.js'
import {
  type DetachedContent,
  type SignatureEvidence,
  type TimestampEvidence,
} from '../evidence.js'
import { problem, remark, type Finding } from '../findings.js'
import { readAsicManifest, type AsicManifest } from './asic-manifest.js'
import { readCms, readTimestampDocument } from './cms-document.js'
import { MOST_SIGNATURES, tooManySignatures, type DocumentReading } from './document-reading.js'
import { readXml } from './xml.js'

const TYPES: Readonly<Partial<Record<string, 'ASiC-S' | 'ASiC-E'>>> = {
  'application/vnd.etsi.asic-s+zip': 'ASiC-S',
  'application/vnd.etsi.asic-e+zip': 'ASiC-E',
}
const META = /^META-INF\//
const SIGNATURE = /^META-INF\/[^/]*signature[^/]*\.p7s$/
const XML_SIGNATURES = /^META-INF\/[^/]*signatures[^/]*\.xml$/
const MANIFEST = /^META-INF\/ASiC[^/]*Manifest[^/]*\.xml$/
/** Those of timestamps (EN 319 162-1, A.7); signatures have none. */
const ARCHIVE_MANIFEST = /^META-INF\/ASiCArchiveManifest/
const TIMESTAMP = /^META-INF\/[^/]*timestamp[^/]*\.tst$/

/** Files in META-INF, and what they are over. */
class Container {
  readonly files: readonly ZipEntry[]
  readonly data: readonly ZipEntry[]
  /** By the name of the manifest. */
  readonly manifests: ReadonlyMap<string, AsicManifest>
  /** As it says itself; null where it does not say. */
  readonly type: 'ASiC-S' | 'ASiC-E' | null

  constructor(files: readonly ZipEntry[]) {
    this.files = files
    this.data = files.filter(({ name }) => !META.test(name) && name !== 'mimetype')
    const manifests = files.filter(({ name }) => MANIFEST.test(name))
    this.manifests = new Map(manifests.map(({ name, bytes }) => [name, readAsicManifest(bytes)]))
    const [first] = files
    const type = first?.name === 'mimetype' ? first.bytes.toString('latin1').trim() : ''
    this.type = TYPES[type] ?? null
  }

  find(name: string): ZipEntry | null {
    return this.files.find((each) => each.name === name) ?? null
  }

  /** What a signature or timestamp in this file is over: a manifest, or the one data file. */
  subjectOf(proof: string): Subject | null {
    const found = [...this.manifests].filter(
      ([name, manifest]) =>
        manifest.proof === proof && (!SIGNATURE.test(proof) || !ARCHIVE_MANIFEST.test(name)),
    )
    const [[name, manifest] = []] = found
    if (found.length > 1) return null
    if (name !== undefined && manifest) {
      const bytes = this.find(name)?.bytes ?? Buffer.alloc(0)
      return { content: contentOf(null, bytes), ...this.#listed(manifest) }
    }
    const [only, another] = this.data
    if (!only || another || this.type === 'ASiC-E') return null
    return { content: contentOf(null, only.bytes), names: [only.name], findings: [] }
  }

  /** The simple kind is for one file (EN 319 162-1, 4.3). */
  get findings(): Finding[] {
    const names = this.data.map(({ name }) => name).join(', ')
    return this.type === 'ASiC-S' && this.data.length !== 1
      ? [problem('FORMAT_FAILURE', 'container-malformed', `ASiC-S: ${names}`.slice(0, 200))]
      : []
  }

  /** Whether the files are those that the manifest lists, and what they are. */
  #listed({ references }: AsicManifest): Omit<Subject, 'content'> {
    const findings = references.flatMap(({ name, hash, digest }): Finding[] => {
      const file = this.find(name)
      if (!file) return [problem('SIGNED_DATA_NOT_FOUND', 'file-missing', name)]
      if (hash === null) return [problem('FORMAT_FAILURE', 'unknown-algorithm')]
      const isSame = createHash(hash).update(file.bytes).digest().equals(digest)
      return isSame ? [] : [problem('HASH_FAILURE', 'content-changed', name)]
    })
    return { names: references.map(({ name }) => name), findings }
  }
}

interface Subject {
  readonly content: DetachedContent
  readonly names: readonly string[]
  readonly findings: readonly Finding[]
}

function contentOf(name: string | null, bytes: Buffer): DetachedContent {
  return { name, bytes, digests: new Map() }
}

/** A signature, or several in one file, and the files they are over. */
interface Signed {
  readonly file: string
  readonly names: readonly string[]
  readonly evidence: SignatureEvidence
}

/** @throws {Error} when it cannot be unpacked safely */
export async function readAsic(archive: Buffer): Promise<DocumentReading> {
  const files = await readZip(archive)
  const container = new Container(files)
  const found = files.flatMap((file) => signaturesIn(file, container))
  const signed = found.slice(0, MOST_SIGNATURES)
  const stamps = files.flatMap((file) => timestampsIn(file, container))
  const signatures = signed.map(({ file, names, evidence }) => {
    const covering = stamps.filter((each) => each.names.includes(file))
    const left = container.data.filter(({ name }) => !names.includes(name))
    return {
      ...evidence,
      place: file,
      findings: [
        ...container.findings,
        ...evidence.findings,
        ...left.map(({ name }) => remark('file-not-signed', name)),
      ],
      timestamps: [
        ...evidence.timestamps,
        ...covering.map((each) => overFile(each.evidence, evidence)),
      ],
      material: joinMaterial(evidence.material, ...covering.map(materialOf)),
    }
  })
  const alone = stamps.filter(({ names }) => !signed.some(({ file }) => names.includes(file)))
  return {
    format: container.type ?? (container.manifests.size > 0 ? 'ASiC-E' : 'ASiC-S'),
    signatures,
    timestamps: alone.map(({ evidence }) => evidence),
    material: joinMaterial(...alone.map(materialOf)),
    findings: [
      ...(container.type === null ? [remark('container-malformed', 'mimetype')] : []),
      ...(found.length > MOST_SIGNATURES ? [tooManySignatures(found.length)] : []),
    ],
  }
}

/** It is over all that stands in the file of the signature. */
function overFile(
  stamp: TimestampEvidence,
  { material, timestamps }: SignatureEvidence,
): TimestampEvidence {
  const inside = [...material.statements, ...timestamps.flatMap(({ token }) => token ?? [])]
  return { ...stamp, covers: new Set(inside.map(fingerprintOf)) }
}

function materialOf({ evidence }: { readonly evidence: TimestampEvidence }) {
  return evidence.token?.material ?? NO_MATERIAL
}

function signaturesIn({ name, bytes }: ZipEntry, container: Container): Signed[] {
  if (XML_SIGNATURES.test(name)) return xmlSignaturesIn(name, bytes, container)
  if (!SIGNATURE.test(name)) return []
  const subject = container.subjectOf(name)
  if (!subject) return [unreadable(name, problem('FORMAT_FAILURE', 'manifest-missing'))]
  try {
    return readCms(bytes, [subject.content]).signatures.map((evidence) => ({
      file: name,
      names: subject.names,
      evidence: { ...evidence, findings: [...subject.findings, ...evidence.findings] },
    }))
  } catch {
    return [unreadable(name, problem('FORMAT_FAILURE', 'signature-unreadable', 'CMS'))]
  }
}

function xmlSignaturesIn(file: string, bytes: Buffer, container: Container): Signed[] {
  const contents = container.data.map((each) => contentOf(each.name, each.bytes))
  const names: string[] = []
  try {
    const { signatures } = readXml(bytes, contents, (name) => names.push(name))
    // Nobody reads what stands around the signatures in there.
    return signatures.map((evidence) => ({
      ...{ file, names },
      evidence: {
        ...evidence,
        findings: evidence.findings.filter(({ code }) => code !== 'part-signed'),
      },
    }))
  } catch {
    return [unreadable(file, problem('FORMAT_FAILURE', 'signature-unreadable', 'XML'))]
  }
}

function unreadable(file: string, finding: Finding): Signed {
  return {
    ...{ file, names: [] },
    evidence: {
      ...{ kind: 'CMS', place: file, signer: null, method: null, hashes: [], signingTime: null },
      ...{ timestamps: [], material: NO_MATERIAL, coverage: null },
      findings: [finding],
    },
  }
}

interface Stamped {
  /** Files that the timestamp is over. */
  readonly names: readonly string[]
  readonly evidence: TimestampEvidence
}

function timestampsIn({ name, bytes }: ZipEntry, container: Container): Stamped[] {
  if (!TIMESTAMP.test(name)) return []
  const subject = container.subjectOf(name)
  try {
    const [stamp] = readTimestampDocument(bytes, subject ? [subject.content] : []).timestamps
    if (!stamp) return []
    const findings = [...(subject?.findings ?? []), ...stamp.findings]
    return [{ names: subject?.names ?? [], evidence: { ...stamp, findings } }]
  } catch {
    const findings = [problem('FORMAT_FAILURE', 'timestamp-unreadable')]
    return [{ names: subject?.names ?? [], evidence: { kind: 'document', token: null, findings } }]
  }
}

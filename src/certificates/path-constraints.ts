import * as asn1js from 'asn1js'
import {
  bytesOf,
  childrenOf,
  isContext,
  octetsOf,
  oidOf,
  readElement,
  smallIntegerOf,
  type Block,
} from './asn1.js'
import {
  EXTENSIONS,
  extensionValue,
  hasExtension,
  isSelfIssued,
  type KnownCertificate,
} from './known-certificate.js'

/*
 * What the certificates of authorities say about those below them. Paths come here from the top, the anchor
 * first.
 */

/** Whether every certificate keeps to the name constraints of those above it. @see RFC 5280, 4.2.1.10 */
export function namesAreAllowed(fromTop: readonly KnownCertificate[]): boolean {
  const constraints: NameConstraints[] = []
  for (const [at, certificate] of fromTop.entries()) {
    const isLast = at === fromTop.length - 1
    if (at > 0 && (isLast || !isSelfIssued(certificate)) && constraints.length > 0) {
      const names = namesOf(certificate)
      if (!constraints.every((each) => keepsTo(names, each))) return false
    }
    const value = extensionValue(certificate, EXTENSIONS.nameConstraints)
    if (value) constraints.push(readNameConstraints(value))
  }
  return true
}

/** Tags of GeneralName. */
const KINDS = { email: 1, dns: 2, directory: 4, uri: 6, ip: 7 } as const

interface Name {
  readonly kind: number
  /** Content octets; of a directory name the Name, DER. */
  readonly value: Buffer
}

interface NameConstraints {
  readonly permitted: readonly Name[]
  readonly excluded: readonly Name[]
}

function readNameConstraints(value: Buffer): NameConstraints {
  const fields = childrenOf(readElement(value))
  const subtrees = (tag: number) =>
    fields
      .filter((each) => isContext(each, tag))
      .flatMap(childrenOf)
      .map((subtree) => {
        const [base, ...distances] = childrenOf(subtree)
        if (distances.length > 0) throw new Error('A distance from a name')
        return nameOf(base)
      })
  return { permitted: subtrees(0), excluded: subtrees(1) }
}

function nameOf(block: Block | undefined): Name {
  const kind = block?.idBlock.tagNumber ?? -1
  const value = kind === KINDS.directory ? bytesOf(childrenOf(block)[0]) : contentOf(block)
  return { kind, value }
}

function contentOf(block: Block | undefined): Buffer {
  return block instanceof asn1js.Primitive ? octetsOf(block) : bytesOf(block)
}

const EMAIL_ADDRESS = '1.2.840.113549.1.9.1'

/** Its subject, its alternative names, and without such an address the one in the subject. */
function namesOf(certificate: KnownCertificate): Name[] {
  const value = extensionValue(certificate, EXTENSIONS.subjectAltName)
  const alternative = value ? childrenOf(readElement(value)).map(nameOf) : []
  const { subjectName } = certificate
  const rdns = childrenOf(readElement(subjectName))
  const addresses = alternative.some(({ kind }) => kind === KINDS.email)
    ? []
    : rdns.flatMap(childrenOf).flatMap((attribute): Name[] => {
        const [type, text] = childrenOf(attribute)
        if (oidOf(type) !== EMAIL_ADDRESS || !(text instanceof asn1js.BaseStringBlock)) return []
        return [{ kind: KINDS.email, value: Buffer.from(text.getValue()) }]
      })
  const subject = rdns.length > 0 ? [{ kind: KINDS.directory, value: subjectName }] : []
  return [...subject, ...alternative, ...addresses]
}

function keepsTo(names: readonly Name[], { permitted, excluded }: NameConstraints): boolean {
  return names.every((name) => {
    const isSame = ({ kind }: Name) => kind === name.kind
    const among = permitted.filter(isSame)
    const isPermitted = among.length === 0 || among.some((each) => isWithin(name, each, false))
    return isPermitted && !excluded.filter(isSame).some((each) => isWithin(name, each, true))
  })
}

/** @param otherwise of a kind that is not understood: what cannot be told is not allowed */
function isWithin({ kind, value }: Name, { value: base }: Name, otherwise: boolean): boolean {
  const [text, limit] = [value, base].map((each) => each.toString('latin1').toLowerCase())
  if (text === undefined || limit === undefined) return otherwise
  switch (kind) {
    case KINDS.directory: {
      const [rdns, prefix] = [comparable(value), comparable(base)]
      return prefix.every((rdn, at) => rdn === rdns[at])
    }
    case KINDS.email: {
      const host = text.slice(text.lastIndexOf('@') + 1)
      return limit.includes('@') ? isSameMailbox(value, base) : isHostWithin(host, limit)
    }
    case KINDS.dns:
      return limit === '' || text === limit || text.endsWith(`.${limit.replace(/^\./, '')}`)
    case KINDS.uri: {
      const host = /^[a-z][a-z0-9+.-]*:\/\/(?:[^/?#@]*@)?([a-z0-9.-]+)(?::\d*)?(?:[/?#]|$)/.exec(
        text,
      )
      return host?.[1] === undefined ? otherwise : isHostWithin(host[1], limit)
    }
    case KINDS.ip: {
      const length = value.length
      if (base.length !== 2 * length) return false
      return value.every(
        (byte, at) =>
          (byte & (base[length + at] ?? 0)) === ((base[at] ?? 0) & (base[length + at] ?? 0)),
      )
    }
    default:
      return otherwise
  }
}

function isHostWithin(host: string, limit: string): boolean {
  return limit.startsWith('.') ? host.endsWith(limit) : host === limit
}

/** What stands before the @ may be written in one way only. */
function isSameMailbox(one: Buffer, other: Buffer): boolean {
  const parts = (value: Buffer) => {
    const text = value.toString('latin1')
    const at = text.lastIndexOf('@')
    return `${text.slice(0, at)}@${text.slice(at + 1).toLowerCase()}`
  }
  return parts(one) === parts(other)
}

/** RDNs such that equal texts are equal names. @see RFC 5280, 7.1 */
function comparable(name: Buffer): string[] {
  return childrenOf(readElement(name)).map((rdn) =>
    childrenOf(rdn)
      .map((attribute) => {
        const [type, value] = childrenOf(attribute)
        const text =
          value instanceof asn1js.BaseStringBlock
            ? value.getValue().normalize('NFKC').toLowerCase().trim().replace(/\s+/g, ' ')
            : bytesOf(value).toString('hex')
        return `${oidOf(type)}=${text}`
      })
      .sort()
      .join('+'),
  )
}

/**
 * Whether a certificate is that of whom a GeneralName, DER, names: as its subject, or under one of its alternative
 * names.
 */
export function isNamedBy(certificate: KnownCertificate, name: Buffer): boolean {
  const said = nameOf(readElement(name))
  return namesOf(certificate).some(({ kind, value }) => {
    if (kind !== said.kind) return false
    if (kind !== KINDS.directory) return value.equals(said.value)
    const [one, other] = [comparable(value), comparable(said.value)]
    return one.length === other.length && one.every((rdn, at) => rdn === other[at])
  })
}

const ANY_POLICY = '2.5.29.32.0'

/**
 * Whether the path has a policy where it has to have one. @see RFC 5280, 6.1, with any policy acceptable; then
 * of the tree only its lowest leaves matter
 */
export function hasPolicyWhereNeeded(fromTop: readonly KnownCertificate[]): boolean {
  const below = fromTop.slice(1)
  const counters = { explicit: below.length + 1, mapping: below.length + 1, any: below.length + 1 }
  let expected: ReadonlySet<string> = new Set([ANY_POLICY])
  for (const [at, certificate] of below.entries()) {
    const isLast = at === below.length - 1
    const isFree = isSelfIssued(certificate) && !isLast
    expected = continued(expected, policiesOf(certificate), counters.any > 0 || isFree)
    if (expected.size === 0 && counters.explicit === 0) return false
    if (!isLast) {
      expected = mapped(expected, certificate, counters.mapping > 0)
      if (!isSelfIssued(certificate)) count(counters)
    } else if (counters.explicit > 0) counters.explicit -= 1
    limit(counters, certificate)
  }
  return expected.size > 0 || counters.explicit > 0
}

interface Counters {
  explicit: number
  mapping: number
  any: number
}

function count(counters: Counters): void {
  for (const name of ['explicit', 'mapping', 'any'] as const) {
    counters[name] = Math.max(0, counters[name] - 1)
  }
}

function limit(counters: Counters, certificate: KnownCertificate): void {
  const constraints = extensionValue(certificate, EXTENSIONS.policyConstraints)
  for (const field of constraints ? childrenOf(readElement(constraints)) : []) {
    const skip = octetsOf(field).readUIntBE(0, octetsOf(field).length)
    if (isContext(field, 0)) counters.explicit = Math.min(counters.explicit, skip)
    if (isContext(field, 1)) counters.mapping = Math.min(counters.mapping, skip)
  }
  const inhibit = extensionValue(certificate, EXTENSIONS.inhibitAnyPolicy)
  if (inhibit) counters.any = Math.min(counters.any, smallIntegerOf(readElement(inhibit)))
}

function policiesOf(certificate: KnownCertificate): ReadonlySet<string> {
  const value = extensionValue(certificate, EXTENSIONS.certificatePolicies)
  return new Set(
    value ? childrenOf(readElement(value)).map((each) => oidOf(childrenOf(each)[0])) : [],
  )
}

function continued(
  expected: ReadonlySet<string>,
  own: ReadonlySet<string>,
  anyCounts: boolean,
): ReadonlySet<string> {
  if (own.has(ANY_POLICY) && anyCounts) return expected
  const named = [...own].filter((each) => each !== ANY_POLICY)
  return new Set(expected.has(ANY_POLICY) ? named : named.filter((each) => expected.has(each)))
}

function mapped(
  expected: ReadonlySet<string>,
  certificate: KnownCertificate,
  isAllowed: boolean,
): ReadonlySet<string> {
  const value = extensionValue(certificate, EXTENSIONS.policyMappings)
  const pairs = value
    ? childrenOf(readElement(value)).map((pair) => childrenOf(pair).map(oidOf))
    : []
  if (pairs.some((pair) => pair.includes(ANY_POLICY))) return new Set()
  const froms = new Set(pairs.map(([from = '']) => from))
  const kept = [...expected].filter((each) => !froms.has(each))
  const known = (from: string) => expected.has(from) || expected.has(ANY_POLICY)
  const added = pairs.flatMap(([from = '', to = '']) => (isAllowed && known(from) ? [to] : []))
  return new Set([...kept, ...added])
}

/** Whether any of it says something that has to be kept to. */
export function isConstrained(path: readonly KnownCertificate[]): boolean {
  const { nameConstraints, policyConstraints, policyMappings, inhibitAnyPolicy } = EXTENSIONS
  const oids = [nameConstraints, policyConstraints, policyMappings, inhibitAnyPolicy]
  return path.some((each) => oids.some((oid) => hasExtension(each, oid)))
}

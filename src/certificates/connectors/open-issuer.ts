import { readFileSync } from 'node:fs'
import type { IssuerSettings } from '../../config/certificate-authority.js'
import { pemCertificates } from '../../config/pem-certificates.js'
import type { KeyCustody } from '../../keys/key-custody.js'
import { boundedHttp, type BoundedHttp } from '../bounded-http.js'
import type { CertificateAuthority } from '../certificate-authority.js'
import { Ejbca } from './ejbca/ejbca.js'
import { Est } from './est/est.js'
import { RemoteAuthority, type Enrolment } from './remote-authority.js'

const TIMEOUT_SECONDS = 20

type RemoteSettings = Exclude<IssuerSettings, { kind: 'embedded' }>

/** Whoever certifies the keys of signers, as configured. */
export function openIssuer(
  settings: IssuerSettings,
  embedded: CertificateAuthority,
  parts: { readonly custody: KeyCustody; readonly now: () => Date },
): CertificateAuthority {
  if (settings.kind === 'embedded') return embedded
  return new RemoteAuthority({
    ...parts,
    enrolment: openEnrolment(settings, httpOf(settings)),
    anchors: pemCertificates(readFileSync(settings.anchorsFile, 'utf8')),
  })
}

function openEnrolment(settings: RemoteSettings, http: BoundedHttp): Enrolment {
  if (settings.kind === 'ejbca') return new Ejbca({ ...settings, http })
  const { url, timeoutSeconds: patienceSeconds = TIMEOUT_SECONDS, user, passwordFile } = settings
  const login =
    user === undefined || passwordFile === undefined
      ? {}
      : { login: { user, password: readFileSync(passwordFile, 'utf8').trim() } }
  return new Est({ url, http, patienceSeconds, ...login })
}

/** The operator named the server: it may be wherever they say. */
function httpOf(settings: RemoteSettings): BoundedHttp {
  const {
    timeoutSeconds = TIMEOUT_SECONDS,
    tlsCaFile,
    clientCertificateFile,
    clientKeyFile,
  } = settings
  const text = (file: string) => readFileSync(file, 'utf8')
  return boundedHttp({
    timeoutMs: timeoutSeconds * 1000,
    isAllowed: () => true,
    ...(tlsCaFile === undefined ? {} : { authorities: text(tlsCaFile) }),
    ...(clientCertificateFile === undefined || clientKeyFile === undefined
      ? {}
      : { client: { cert: text(clientCertificateFile), key: text(clientKeyFile) } }),
  })
}

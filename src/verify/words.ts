import type { ReportLanguage } from '../verification/messages.js'
import type { Report } from '../verification/report.js'

type Indication = NonNullable<Report['indication']>
type Change = NonNullable<Report['signatures'][number]['coverage']>['changes'][number]['kind']

/** What pages and printed reports say around the findings. */
export interface ReportWords {
  readonly locale: string
  readonly title: string
  readonly intro: string
  readonly document: string
  readonly content: string
  readonly contentHint: string
  readonly language: string
  readonly verify: string
  readonly again: string
  readonly underway: string
  /** @param size of the largest document that is checked */
  readonly documentHint: (size: string) => string
  readonly problems: Readonly<
    Record<'no-file' | 'too-large' | 'malformed' | 'busy', (size: string) => string>
  >
  readonly verdicts: Readonly<Record<Indication | 'nothing', string>>
  /** What the verdict means for somebody who has to rely on the document. */
  readonly means: Readonly<Record<Indication | 'nothing' | 'unreadable', string>>
  readonly signature: (id: string) => string
  readonly timestamp: string
  readonly certificates: string
  readonly severities: Readonly<Record<'error' | 'warning' | 'information', string>>
  readonly labels: Readonly<
    Record<
      | 'file'
      | 'format'
      | 'digest'
      | 'checked'
      | 'verdict'
      | 'advice'
      | 'signer'
      | 'owner'
      | 'issuer'
      | 'place'
      | 'claimed'
      | 'proven'
      | 'algorithm'
      | 'level'
      | 'coverage'
      | 'changes'
      | 'time'
      | 'authority'
      | 'validity'
      | 'revocation',
      string
    >
  >
  readonly none: string
  readonly wholeDocument: string
  readonly notWholeDocument: string
  readonly revocation: Readonly<Record<'good' | 'revoked' | 'unknown' | 'not-needed', string>>
  readonly changes: Readonly<Record<Change, string>>
}

const en: ReportWords = {
  locale: 'en-GB',
  title: 'Check signatures',
  intro:
    'Choose a signed document to see who signed it, when, and whether anything was changed since. The document is checked and not kept.',
  document: 'Signed document or signature',
  content: 'Signed content',
  contentHint: 'Only for a signature that is a file of its own',
  language: 'Language of the report',
  verify: 'Check',
  again: 'Check another document',
  underway:
    'Your document has arrived and is being checked. The result appears here by itself; please leave this page open.',
  documentHint: (size) => `Such as a PDF, XML, .p7s, .asice or .json file of at most ${size}`,
  problems: {
    'no-file': () => 'Please choose a document.',
    'too-large': (size) =>
      `The document is too large: at most ${size} can be checked here. Please choose a smaller one.`,
    malformed: () => 'The form could not be read. Please try again.',
    busy: () => 'Too many documents are being checked. Please try again in a moment.',
  },
  verdicts: {
    'TOTAL-PASSED': 'Valid',
    INDETERMINATE: 'Undecided',
    'TOTAL-FAILED': 'Not valid',
    nothing: 'Not signed',
  },
  means: {
    'TOTAL-PASSED':
      'Every signature in it is good: it was made with the certificate shown, and what was signed was not changed.',
    INDETERMINATE:
      'It cannot be said for certain whether the signature is good: something that would prove it is missing. The notes say what. Until then, do not rely on it.',
    'TOTAL-FAILED':
      'At least one signature is not good. The notes say why. Do not rely on this document.',
    nothing:
      'There is no signature in this file. If the signature is a file of its own, choose that one, and this one as the signed content.',
    unreadable:
      'This could not be read as a signed document. The notes say why. If somebody signed it, ask them for the file as it was signed.',
  },
  signature: (id) => `Signature ${id}`,
  timestamp: 'Timestamp',
  certificates: 'Certificates',
  severities: { error: 'Error', warning: 'Warning', information: 'Note' },
  labels: {
    ...{ file: 'File', format: 'Format', digest: 'SHA-256', checked: 'Checked at' },
    ...{
      verdict: 'Result',
      advice: 'What to do',
      owner: 'Issued to',
      signer: 'Signed by',
      issuer: 'Issuer',
      place: 'Place',
    },
    ...{ claimed: 'Time, as the signer says', proven: 'Proven to exist since' },
    ...{ algorithm: 'Algorithm', level: 'Level', coverage: 'Signed', changes: 'Since then' },
    ...{ time: 'Time', authority: 'Authority', validity: 'Valid', revocation: 'Revocation' },
  },
  none: 'none',
  wholeDocument: 'the whole document',
  notWholeDocument: 'the document as it was then',
  revocation: {
    ...{ good: 'not revoked', revoked: 'revoked', unknown: 'unknown' },
    'not-needed': 'does not need to be asked',
  },
  changes: {
    ...{ 'validation-data': 'proofs added', timestamp: 'timestamp added' },
    ...{ signature: 'signed again', form: 'form filled in', annotation: 'annotated' },
    ...{ metadata: 'metadata changed', other: 'content changed' },
  },
}

const de: ReportWords = {
  locale: 'de-DE',
  title: 'Signaturen prüfen',
  intro:
    'Wählen Sie ein signiertes Dokument, um zu sehen, wer es wann signiert hat und ob es seither geändert wurde. Das Dokument wird geprüft und nicht aufbewahrt.',
  document: 'Signiertes Dokument oder Signatur',
  content: 'Signierter Inhalt',
  contentHint: 'Nur für eine Signatur, die eine eigene Datei ist',
  language: 'Sprache des Berichts',
  verify: 'Prüfen',
  again: 'Ein anderes Dokument prüfen',
  underway:
    'Ihr Dokument ist angekommen und wird geprüft. Das Ergebnis erscheint hier von selbst; bitte lassen Sie diese Seite offen.',
  documentHint: (size) => `Etwa eine Datei PDF, XML, .p7s, .asice oder .json mit höchstens ${size}`,
  problems: {
    'no-file': () => 'Bitte wählen Sie ein Dokument.',
    'too-large': (size) =>
      `Das Dokument ist zu groß: Geprüft werden hier höchstens ${size}. Bitte wählen Sie ein kleineres.`,
    malformed: () => 'Das Formular war nicht lesbar. Bitte versuchen Sie es noch einmal.',
    busy: () =>
      'Es werden gerade zu viele Dokumente geprüft. Bitte versuchen Sie es gleich noch einmal.',
  },
  verdicts: {
    'TOTAL-PASSED': 'Gültig',
    INDETERMINATE: 'Nicht entscheidbar',
    'TOTAL-FAILED': 'Ungültig',
    nothing: 'Nicht signiert',
  },
  means: {
    'TOTAL-PASSED':
      'Jede Signatur darin ist gut: Sie entstand mit dem gezeigten Zertifikat, und was signiert wurde, ist unverändert.',
    INDETERMINATE:
      'Ob die Signatur gut ist, lässt sich nicht sicher sagen: Etwas, das es beweisen würde, fehlt. Die Hinweise sagen, was. Verlassen Sie sich bis dahin nicht darauf.',
    'TOTAL-FAILED':
      'Mindestens eine Signatur ist nicht gut. Die Hinweise sagen, warum. Verlassen Sie sich nicht auf dieses Dokument.',
    nothing:
      'In dieser Datei ist keine Signatur. Ist die Signatur eine eigene Datei, wählen Sie jene und diese als signierten Inhalt.',
    unreadable:
      'Das ließ sich nicht als signiertes Dokument lesen. Die Hinweise sagen, warum. Hat es jemand signiert, bitten Sie um die Datei, wie sie signiert wurde.',
  },
  signature: (id) => `Signatur ${id}`,
  timestamp: 'Zeitstempel',
  certificates: 'Zertifikate',
  severities: { error: 'Fehler', warning: 'Warnung', information: 'Hinweis' },
  labels: {
    ...{ file: 'Datei', format: 'Format', digest: 'SHA-256', checked: 'Geprüft am' },
    ...{
      verdict: 'Ergebnis',
      advice: 'Was zu tun ist',
      owner: 'Ausgestellt für',
      signer: 'Signiert von',
      issuer: 'Aussteller',
      place: 'Ort',
    },
    ...{ claimed: 'Zeit nach Angabe', proven: 'Nachweislich vorhanden seit' },
    ...{ algorithm: 'Verfahren', level: 'Stufe', coverage: 'Signiert', changes: 'Seither' },
    ...{ time: 'Zeit', authority: 'Stelle', validity: 'Gültig', revocation: 'Widerruf' },
  },
  none: 'keine',
  wholeDocument: 'das ganze Dokument',
  notWholeDocument: 'das Dokument, wie es damals war',
  revocation: {
    ...{ good: 'nicht widerrufen', revoked: 'widerrufen', unknown: 'unbekannt' },
    'not-needed': 'muss nicht erfragt werden',
  },
  changes: {
    ...{ 'validation-data': 'Nachweise ergänzt', timestamp: 'Zeitstempel ergänzt' },
    ...{ signature: 'weiter signiert', form: 'Formular ausgefüllt', annotation: 'kommentiert' },
    ...{ metadata: 'Metadaten geändert', other: 'Inhalt geändert' },
  },
}

const fr: ReportWords = {
  locale: 'fr-FR',
  title: 'Vérifier des signatures',
  intro:
    'Choisissez un document signé pour voir qui l’a signé, quand, et s’il a été modifié depuis. Le document est vérifié et n’est pas conservé.',
  document: 'Document signé ou signature',
  content: 'Contenu signé',
  contentHint: 'Seulement pour une signature qui est un fichier à part',
  language: 'Langue du rapport',
  verify: 'Vérifier',
  again: 'Vérifier un autre document',
  underway:
    'Votre document est arrivé et est en cours de vérification. Le résultat apparaîtra ici de lui-même ; veuillez laisser cette page ouverte.',
  documentHint: (size) =>
    `Par exemple un fichier PDF, XML, .p7s, .asice ou .json d’au plus ${size}`,
  problems: {
    'no-file': () => 'Veuillez choisir un document.',
    'too-large': (size) =>
      `Le document est trop grand : au plus ${size} peuvent être vérifiés ici. Veuillez en choisir un plus petit.`,
    malformed: () => 'Le formulaire n’a pas pu être lu. Veuillez réessayer.',
    busy: () =>
      'Trop de documents sont en cours de vérification. Veuillez réessayer dans un instant.',
  },
  verdicts: {
    'TOTAL-PASSED': 'Valide',
    INDETERMINATE: 'Indéterminé',
    'TOTAL-FAILED': 'Non valide',
    nothing: 'Non signé',
  },
  means: {
    'TOTAL-PASSED':
      'Chaque signature est bonne : elle a été faite avec le certificat indiqué, et ce qui a été signé n’a pas été modifié.',
    INDETERMINATE:
      'On ne peut pas dire avec certitude si la signature est bonne : il manque de quoi le prouver. Les remarques disent quoi. D’ici là, ne vous y fiez pas.',
    'TOTAL-FAILED':
      'Au moins une signature n’est pas bonne. Les remarques disent pourquoi. Ne vous fiez pas à ce document.',
    nothing:
      'Ce fichier ne contient aucune signature. Si la signature est un fichier à part, choisissez celui-là, et celui-ci comme contenu signé.',
    unreadable:
      'Ceci n’a pas pu être lu comme un document signé. Les remarques disent pourquoi. Si quelqu’un l’a signé, demandez-lui le fichier tel qu’il a été signé.',
  },
  signature: (id) => `Signature ${id}`,
  timestamp: 'Horodatage',
  certificates: 'Certificats',
  severities: { error: 'Erreur', warning: 'Avertissement', information: 'Remarque' },
  labels: {
    ...{ file: 'Fichier', format: 'Format', digest: 'SHA-256', checked: 'Vérifié le' },
    ...{
      verdict: 'Résultat',
      advice: 'Que faire',
      owner: 'Délivré à',
      signer: 'Signé par',
      issuer: 'Émetteur',
      place: 'Emplacement',
    },
    ...{ claimed: 'Heure selon le signataire', proven: 'Existence prouvée depuis' },
    ...{ algorithm: 'Algorithme', level: 'Niveau', coverage: 'Signé', changes: 'Depuis' },
    ...{ time: 'Heure', authority: 'Autorité', validity: 'Validité', revocation: 'Révocation' },
  },
  none: 'aucun',
  wholeDocument: 'tout le document',
  notWholeDocument: 'le document tel qu’il était alors',
  revocation: {
    ...{ good: 'non révoqué', revoked: 'révoqué', unknown: 'inconnu' },
    'not-needed': 'n’a pas à être demandé',
  },
  changes: {
    ...{ 'validation-data': 'preuves ajoutées', timestamp: 'horodatage ajouté' },
    ...{ signature: 'signé à nouveau', form: 'formulaire rempli', annotation: 'annoté' },
    ...{ metadata: 'métadonnées modifiées', other: 'contenu modifié' },
  },
}

const es: ReportWords = {
  locale: 'es-ES',
  title: 'Comprobar firmas',
  intro:
    'Elija un documento firmado para ver quién lo firmó, cuándo y si ha cambiado desde entonces. El documento se comprueba y no se conserva.',
  document: 'Documento firmado o firma',
  content: 'Contenido firmado',
  contentHint: 'Solo para una firma que es un fichero aparte',
  language: 'Idioma del informe',
  verify: 'Comprobar',
  again: 'Comprobar otro documento',
  underway:
    'Su documento ha llegado y se está comprobando. El resultado aparecerá aquí por sí solo; deje esta página abierta.',
  documentHint: (size) =>
    `Por ejemplo un fichero PDF, XML, .p7s, .asice o .json de ${size} como máximo`,
  problems: {
    'no-file': () => 'Elija un documento.',
    'too-large': (size) =>
      `El documento es demasiado grande: aquí se comprueban ${size} como máximo. Elija uno más pequeño.`,
    malformed: () => 'No se pudo leer el formulario. Inténtelo de nuevo.',
    busy: () => 'Se están comprobando demasiados documentos. Inténtelo de nuevo en un momento.',
  },
  verdicts: {
    'TOTAL-PASSED': 'Válida',
    INDETERMINATE: 'Indeterminada',
    'TOTAL-FAILED': 'No válida',
    nothing: 'Sin firma',
  },
  means: {
    'TOTAL-PASSED':
      'Todas las firmas son buenas: se hicieron con el certificado indicado y lo firmado no ha cambiado.',
    INDETERMINATE:
      'No se puede decir con certeza si la firma es buena: falta algo que lo pruebe. Las notas dicen qué. Mientras tanto, no confíe en ella.',
    'TOTAL-FAILED':
      'Al menos una firma no es buena. Las notas dicen por qué. No confíe en este documento.',
    nothing:
      'Este fichero no contiene ninguna firma. Si la firma es un fichero aparte, elija aquel, y este como contenido firmado.',
    unreadable:
      'Esto no se pudo leer como documento firmado. Las notas dicen por qué. Si alguien lo firmó, pídale el fichero tal como se firmó.',
  },
  signature: (id) => `Firma ${id}`,
  timestamp: 'Sello de tiempo',
  certificates: 'Certificados',
  severities: { error: 'Error', warning: 'Advertencia', information: 'Nota' },
  labels: {
    ...{ file: 'Fichero', format: 'Formato', digest: 'SHA-256', checked: 'Comprobado el' },
    ...{
      verdict: 'Resultado',
      advice: 'Qué hacer',
      owner: 'Emitido para',
      signer: 'Firmado por',
      issuer: 'Emisor',
      place: 'Lugar',
    },
    ...{ claimed: 'Hora según el firmante', proven: 'Existencia probada desde' },
    ...{ algorithm: 'Algoritmo', level: 'Nivel', coverage: 'Firmado', changes: 'Desde entonces' },
    ...{ time: 'Hora', authority: 'Autoridad', validity: 'Validez', revocation: 'Revocación' },
  },
  none: 'ninguno',
  wholeDocument: 'todo el documento',
  notWholeDocument: 'el documento como era entonces',
  revocation: {
    ...{ good: 'no revocado', revoked: 'revocado', unknown: 'desconocido' },
    'not-needed': 'no hay que preguntarlo',
  },
  changes: {
    ...{ 'validation-data': 'pruebas añadidas', timestamp: 'sello añadido' },
    ...{ signature: 'firmado de nuevo', form: 'formulario rellenado', annotation: 'anotado' },
    ...{ metadata: 'metadatos cambiados', other: 'contenido cambiado' },
  },
}

export const REPORT_WORDS: Readonly<Record<ReportLanguage, ReportWords>> = { en, de, fr, es }

export const LANGUAGE_NAMES: Readonly<Record<ReportLanguage, string>> = {
  ...{ en: 'English', de: 'Deutsch', fr: 'Français', es: 'Español' },
}

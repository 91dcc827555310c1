import type { ActiveContent } from '../../documents/display/active-content.js'
import type { Unshowable } from '../../documents/display/document-views.js'
import type { Language } from '../../pages/language.js'

const en = {
  /** Beside the fingerprint of a document that is shown. */
  computed: 'We have computed this fingerprint from the document shown here.',
  notHere: 'The application has not left this document here, so it cannot be shown.',
  look: 'Look at the document',
  lookWhole: (pages: number) => (pages === 1 ? 'Look closer' : `Look at all ${pages} pages`),
  download: 'Download',
  back: 'Back to your decision',
  unnamed: (number: number) => `Document ${number}`,
  kinds: { pdf: 'PDF', text: 'Text' },
  pages: (pages: number) => (pages === 1 ? '1 page' : `${pages} pages`),
  /** “Page 2 of 12” */
  page: (page: number, pages: number) => `Page ${page} of ${pages}`,
  pageOf: (page: number, pages: number, name: string) => `Page ${page} of ${pages} of ${name}`,
  textOf: (name: string) => `Text of ${name}`,
  beginning: 'This is only the beginning of the document.',
  pageText: 'Text of this page',
  pageTextHint:
    'For screen readers: what the document says its text is. It need not be what can be seen.',
  noText: 'There is no text on this page, only what can be seen.',
  navigation: 'Pages of the document',
  previous: 'Previous',
  next: 'Next',
  goTo: 'Page',
  go: 'Go',
  size: 'Size',
  larger: 'Larger',
  smaller: 'Smaller',
  fingerprint: (algorithm: string) => `${algorithm} fingerprint`,
  title: (name: string) => `${name} – document to be signed`,
  asks: 'You look at it only. Nothing is signed before you approve it.',
  active: {
    title: 'Please note what this document contains',
    javascript:
      'Programs (JavaScript) that run when it is opened elsewhere. They did not run here.',
    launch: 'Actions that start other programs or open other files.',
    submission: 'Actions that send what is filled in to an address, or fetch data.',
    'embedded-files': 'Other files. You sign them too, but they are not shown here.',
    multimedia: 'Sound, film or three-dimensional content that is not shown here.',
    'dynamic-form': 'A dynamic form (XFA) that can look different in other programs.',
    'external-content': 'References to content outside of the document, which you do not sign.',
    layers: 'Layers that can be shown and hidden. Here they are as the document sets them.',
    unexamined: 'It could not be examined for programs and other active content.',
  } satisfies Record<ActiveContent | 'title', string>,
  unshowable: {
    title: 'This document cannot be shown here.',
    password: 'It is protected with a password.',
    damaged: 'It is damaged, or of a kind of PDF that we cannot read.',
    'too-much': 'It is too large or too intricate to be drawn here.',
    busy: 'Too many documents are being shown right now. Please load the page again in a moment.',
    'other-kind': 'It is neither a PDF nor text.',
    only: 'Its fingerprint alone tells which document you sign. Download it and look at it elsewhere; approve only if you know what it says.',
  } satisfies Record<Unshowable | 'title' | 'only', string>,
}

export type DocumentMessages = typeof en

const de: DocumentMessages = {
  computed: 'Diesen Fingerabdruck haben wir aus dem hier gezeigten Dokument berechnet.',
  notHere: 'Die Anwendung hat dieses Dokument hier nicht hinterlegt; es kann nicht gezeigt werden.',
  look: 'Dokument ansehen',
  lookWhole: (pages) => (pages === 1 ? 'Genauer ansehen' : `Alle ${pages} Seiten ansehen`),
  download: 'Herunterladen',
  back: 'Zurück zu Ihrer Entscheidung',
  unnamed: (number) => `Dokument ${number}`,
  kinds: { pdf: 'PDF', text: 'Text' },
  pages: (pages) => (pages === 1 ? '1 Seite' : `${pages} Seiten`),
  page: (page, pages) => `Seite ${page} von ${pages}`,
  pageOf: (page, pages, name) => `Seite ${page} von ${pages} von ${name}`,
  textOf: (name) => `Text von ${name}`,
  beginning: 'Das ist nur der Anfang des Dokuments.',
  pageText: 'Text dieser Seite',
  pageTextHint:
    'Für Vorleseprogramme: was das Dokument als seinen Text angibt. Das muss nicht sein, was zu sehen ist.',
  noText: 'Auf dieser Seite steht kein Text, nur was zu sehen ist.',
  navigation: 'Seiten des Dokuments',
  previous: 'Zurück',
  next: 'Weiter',
  goTo: 'Seite',
  go: 'Öffnen',
  size: 'Größe',
  larger: 'Größer',
  smaller: 'Kleiner',
  fingerprint: (algorithm) => `${algorithm}-Fingerabdruck`,
  title: (name) => `${name} – zu signierendes Dokument`,
  asks: 'Sie sehen es nur an. Ohne Ihre Freigabe wird nichts signiert.',
  active: {
    title: 'Bitte beachten Sie, was dieses Dokument enthält',
    javascript:
      'Programme (JavaScript), die ablaufen, wenn es anderswo geöffnet wird. Hier liefen sie nicht ab.',
    launch: 'Aktionen, die andere Programme starten oder andere Dateien öffnen.',
    submission: 'Aktionen, die Eingaben an eine Adresse senden oder Daten holen.',
    'embedded-files': 'Andere Dateien. Sie signieren sie mit, aber hier werden sie nicht gezeigt.',
    multimedia: 'Ton, Film oder räumliche Inhalte, die hier nicht gezeigt werden.',
    'dynamic-form':
      'Ein dynamisches Formular (XFA), das in anderen Programmen anders aussehen kann.',
    'external-content':
      'Verweise auf Inhalte außerhalb des Dokuments, die Sie nicht mit signieren.',
    layers:
      'Ebenen, die ein- und ausgeblendet werden können. Hier sind sie, wie im Dokument eingestellt.',
    unexamined: 'Es konnte nicht auf Programme und andere aktive Inhalte untersucht werden.',
  },
  unshowable: {
    title: 'Dieses Dokument kann hier nicht gezeigt werden.',
    password: 'Es ist mit einem Passwort geschützt.',
    damaged: 'Es ist beschädigt oder eine Art von PDF, die wir nicht lesen können.',
    'too-much': 'Es ist zu groß oder zu verwickelt, um hier gezeichnet zu werden.',
    busy: 'Gerade werden zu viele Dokumente gezeigt. Bitte laden Sie die Seite gleich noch einmal.',
    'other-kind': 'Es ist weder ein PDF noch Text.',
    only: 'Nur sein Fingerabdruck sagt, welches Dokument Sie signieren. Laden Sie es herunter und sehen Sie es anderswo an; geben Sie es nur frei, wenn Sie wissen, was darin steht.',
  },
}

const MESSAGES: Readonly<Record<Language, DocumentMessages>> = { en, de }

export function documentMessages({ lang }: { readonly lang: Language }): DocumentMessages {
  return MESSAGES[lang]
}

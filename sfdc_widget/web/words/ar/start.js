/** @import {words as english} from '../en/start.js' */
import { isolated as i } from '../isolate.js';
import { plurals } from '../plurals.js';

const plural = plurals('ar');

/** @type {typeof english} */
export const words = {
  status: {
    ready: 'متاح',
    doNotDisturb: 'عدم الإزعاج',
    connecting: 'جارٍ الاتصال…',
    reconnecting: 'جارٍ إعادة الاتصال…',
    offline: 'غير متصل بالشبكة',
    signedOut: 'تم تسجيل الخروج',
    elsewhere: 'مفتوح في علامة تبويب أخرى',
    phoneConnecting: 'جارٍ توصيل الهاتف…',
    phoneOff: 'الهاتف غير متصل',
    incoming: 'مكالمة واردة',
    incomingVideo: 'مكالمة فيديو واردة',
    inWindow: 'في نافذة الفيديو',
    answering: 'جارٍ التوصيل…',
    calling: 'جارٍ الاتصال بالرقم…',
    alerting: 'يرن…',
    active: 'في مكالمة',
    activeMuted: 'في مكالمة، الصوت مكتوم',
    onHold: 'قيد الانتظار',
    conference: 'مكالمة جماعية',
    conferenceMuted: 'مكالمة جماعية، الصوت مكتوم',
    transferring: 'جارٍ التحويل…',
    ended: 'انتهت المكالمة',
    wrapUp: 'ما بعد المكالمة',
  },
  label: {
    idle: 'الهاتف',
    ringing: (who) => `مكالمة من ${i(who)}`,
    outgoing: (who) => `جارٍ الاتصال بـ ${i(who)}`,
    active: (who) => `في مكالمة مع ${i(who)}`,
    off: 'الهاتف (غير متصل)',
  },
  announce: {
    incoming: (who) => `مكالمة واردة من ${i(who)}`,
    calling: (who) => `جارٍ الاتصال بـ ${i(who)}`,
    muted: 'تم كتم الميكروفون',
    unmuted: 'الميكروفون يعمل',
    held: 'قيد الانتظار',
    retrieved: 'عدت إلى المكالمة',
    available: 'المكالمات ترن هنا',
    doNotDisturb: 'المكالمات لا ترن هنا',
    copied: 'تم النسخ',
  },
  idle: {
    field: 'الاسم أو الرقم',
    call: 'اتصال',
    videoCall: 'مكالمة فيديو',
    showKeypad: 'إظهار لوحة الأرقام',
    hideKeypad: 'إخفاء لوحة الأرقام',
    backspace: 'حذف آخر رقم',
    recents: 'المكالمات الأخيرة',
    recentsTab: 'الأخيرة',
    favourites: 'المفضلة',
    redial: (number) => `آخر رقم: ${i(number)}. اضغط على «اتصال» مرة أخرى لطلبه.`,
    invites: 'الدعوات',
    lists: 'القوائم',
    empty: 'لا توجد مكالمات بعد',
    emptyText: 'ستظهر هنا المكالمات الصادرة والواردة.',
    noneFound: 'لا توجد مكالمة مطابقة. أدخل رقمًا لطلبه.',
    invalid: 'هذا ليس رقم هاتف. أدخل أرقامًا، أو ابدأ بعلامة + ورمز البلد.',
    notConnected: 'هاتفك غير متصل بعد. الرقم موجود في الحقل: اتصل به عندما يصبح الهاتف جاهزًا.',
    callBack: (who) => `الاتصال بـ ${i(who)}`,
    open: (who) => `فتح ${i(who)}`,
    useNumber: (who) => `وضع رقم ${i(who)} في الحقل`,
  },
  history: {
    inbound: 'واردة',
    outbound: 'صادرة',
    missed: 'فائتة',
    declined: 'مرفوضة',
    elsewhere: 'تم الرد عليها من جهاز آخر',
    unanswered: 'لم يُرد عليها',
    doNotDisturb: 'لم تُوصَّل: عدم الإزعاج',
    transferred: 'محوَّلة',
  },
  activity: {
    waiting: (crm) => `في انتظار الحفظ في ${i(crm)}`,
    written: (crm) => `تم الحفظ في ${i(crm)}`,
    failed: (crm) => `لم يتم الحفظ في ${i(crm)}`,
    open: 'فتح النشاط',
  },
  call: {
    unknown: 'متصل غير معروف',
    others: (who, count) =>
      count === 0
        ? who
        : `${i(who)} و${plural(count, { one: 'شخص آخر', two: 'شخصان آخران', few: `${count} آخرون`, many: `${count} آخرون`, other: `${count} آخرون` })}`,
  },
  desk: {
    active: 'على هاتف المكتب',
    ringing: 'يرن على هاتف المكتب',
    calling: 'جارٍ الاتصال من هاتف المكتب…',
  },
  people: {
    star: (who) => `إضافة ${i(who)} إلى المفضلة`,
    unstar: (who) => `إزالة ${i(who)} من المفضلة`,
  },
  control: {
    askedEnded: (asked, why, about) => `${i(asked)}: ${why}. ما زال ${i(about)} قيد الانتظار.`,
  },
  menu: {
    open: 'القائمة',
    close: 'إغلاق القائمة',
  },
  video: {
    wants: (who) => `يريد ${i(who)} إجراء مكالمة فيديو`,
    show: 'إظهار النافذة',
    back: 'إعادة المكالمة إلى هنا',
    blockedTitle: 'حظر المتصفح نافذة الفيديو',
    blockedText: 'اسمح بالنوافذ المنبثقة لهذا الموقع من شريط العنوان، ثم اضغط على «فيديو» مرة أخرى. أو أجب بالصوت فقط.',
    missedInvite: (subject) => `فائتة: ${i(subject)}`,
  },
  invite: {
    off: 'دعوات الفيديو غير مفعّلة لك',
    offText: 'اطلبها من المسؤول إذا كنت تحتاج إليها.',
    loadFailed: 'تعذّر فتح الدعوات',
    loadFailedText: 'تحقق من الشبكة، ثم أعد المحاولة.',
  },
  ending: {
    minutes: 15,
    in: (minutes) =>
      minutes <= 1
        ? 'تنتهي الدعوة بعد أقل من دقيقة.'
        : `تنتهي الدعوة بعد ${plural(minutes, { two: 'دقيقتين', few: `${minutes} دقائق`, many: `${minutes} دقيقة`, other: `${minutes} دقيقة` })}.`,
    extend: 'تمديد 15 دقيقة',
    extended: 'تم التمديد',
  },
  reconnecting: {
    idle: 'جارٍ إعادة الاتصال. لن تصلك المكالمات هنا حتى ذلك الحين.',
    inCall: 'جارٍ إعادة الاتصال. المكالمة مستمرة؛ ابقَ على الخط.',
    offline: 'لا توجد شبكة. يعود هاتفك فور توفرها.',
  },
  problem: {
    retry: 'إعادة المحاولة',
    allow: 'السماح بالميكروفون',
    code: 'الرمز',
    copy: 'نسخ الرمز',
    retryIn: (seconds) => `المحاولة التالية بعد ${seconds} ث.`,
    playback: 'يحجب المتصفح الصوت حتى تضغط على زر.',
    hear: 'سماع المكالمة',
    askTitle: 'اسمح بالميكروفون',
    askText: 'يسأل المتصفح مرة واحدة. افعل ذلك الآن حتى لا تتأخر المكالمة الأولى.',
  },
};

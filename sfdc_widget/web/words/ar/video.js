/** @import {words as english} from '../en/video.js' */
import { isolated as i } from '../isolate.js';
import { plurals } from '../plurals.js';

const plural = plurals('ar');

/** @type {typeof english} */
export const words = {
  title: (who) => `مكالمة فيديو مع ${i(who)}`,
  others: (count) => plural(count, { one: 'شخص آخر', two: 'شخصان آخران', other: `${count} آخرون` }),
  mute: 'كتم الميكروفون',
  unmute: 'إلغاء كتم الميكروفون',
  cameraOn: 'تشغيل الكاميرا',
  cameraOff: 'إيقاف الكاميرا',
  share: 'مشاركة الشاشة',
  stopSharing: 'إيقاف المشاركة',
  devices: 'الأجهزة',
  camera: 'الكاميرا',
  pictureInPicture: 'صورة داخل صورة',
  fullScreen: 'ملء الشاشة',
  leaveFullScreen: 'إنهاء ملء الشاشة',
  end: 'إنهاء المكالمة',
  controls: 'عناصر التحكم في المكالمة',
  own: 'صورتك. حرّكها بمفاتيح الأسهم.',
  noPicture: (who) => `لا توجد صورة من ${i(who)}`,
  noPictureOfOne: 'لا توجد صورة',
  waiting: (who) => `في انتظار أن يشغّل ${i(who)} الفيديو. يمكنكما التحدث في هذه الأثناء.`,
  soundOnly: 'صوت فقط',
  audioOnly: 'المتابعة بالصوت فقط',
  connecting: 'جارٍ التوصيل…',
  restoring: 'جارٍ استعادة الصورة والصوت. ابقَ على الخط.',
  sharing: 'أنت تشارك شاشتك',
  ended: 'انتهت المكالمة',
  closing: 'تُغلق هذه النافذة تلقائيًا.',
  close: 'إغلاق',
  noCall: 'لا توجد مكالمة في هذه النافذة.',
  noCallText: 'افتحها من هاتفك، بزر «فيديو» في المكالمة.',
  elsewhere: 'هاتفك قيد الاستخدام في صفحة أخرى.',
  takeOver: 'استخدامه هنا',
  answerBare: 'الرد من دون كاميرا',
  goOnBare: 'المتابعة من دون كاميرا',
  answerAudio: 'الرد بالصوت فقط',
  announce: {
    muted: 'تم كتم الميكروفون',
    unmuted: 'الميكروفون يعمل',
    cameraOn: 'الكاميرا تعمل',
    cameraOff: 'الكاميرا متوقفة',
    sharing: 'أنت تشارك شاشتك',
    notSharing: 'انتهت مشاركة الشاشة',
    theirPicture: (who) => `يمكن رؤية ${i(who)}`,
    noPicture: (who) => `لم تعد رؤية ${i(who)} ممكنة`,
  },
  gallery: {
    others: 'الآخرون في المكالمة',
    picture: (who) => `صورة ${i(who)}`,
    enlarge: (who) => `تكبير ${i(who)}`,
    shrink: (who) => `إظهار الجميع؛ ${i(who)} مكبَّر`,
    joined: (who) => `انضم ${i(who)}`,
    left: (who) => `غادر ${i(who)}`,
  },
  refused: {
    title: 'الفيديو غير ممكن في هذه المكالمة',
    text: 'تستمر المكالمة بالصوت.',
  },

  problem: {
    insecure: { title: 'تحتاج الكاميرا إلى صفحة آمنة', text: 'افتح هذه الصفحة باستخدام https://.' },
    unsupported: {
      title: 'هذا المتصفح لا يمكنه إجراء مكالمات الفيديو',
      text: 'استخدم إصدارًا حديثًا من Chrome أو Edge أو Firefox أو Safari.',
    },
    blocked_by_policy: { title: 'الكاميرا غير مسموح بها هنا', text: 'يمكن للمسؤول السماح بها لهذا الموقع.' },
    denied: {
      title: 'الكاميرا محظورة في متصفحك',
      text: 'افتح إعدادات الموقع من شريط العنوان، واضبط الكاميرا على «السماح»، ثم أعد المحاولة.',
    },
    no_device: { title: 'لم يُعثر على كاميرا', text: 'وصّل كاميرا، ثم أعد المحاولة.' },
    device_busy: { title: 'الكاميرا لا تعمل', text: 'ربما يستخدمها برنامج آخر. أغلقه، ثم أعد المحاولة.' },
  },
};

import {
  add, differenceInCalendarDays, eachWeekOfInterval, format, formatDistance, formatISO, isValid, parse, parseISO,
} from "date-fns";
import { de, ja } from "date-fns/locale";

export default {
  fetch(request) {
    const { searchParams } = new URL(request.url);
    const date = parseISO(searchParams.get("date"));
    if (!isValid(date)) return Response.json({ error: "not a date" }, { status: 400 });
    const end = add(date, { months: 1, days: 1 });
    return Response.json({
      iso: formatISO(date),
      english: format(date, "EEEE, do MMMM yyyy 'at' h:mm a"),
      german: format(date, "PPPP", { locale: de }),
      japanese: format(date, "PPP", { locale: ja }),
      later: formatISO(end, { representation: "date" }),
      days: differenceInCalendarDays(end, date),
      distance: formatDistance(end, date, { addSuffix: true }),
      weeks: eachWeekOfInterval({ start: date, end }, { weekStartsOn: 1 }).map((week) => format(week, "I")),
      parsed: parse("29.02.2024 23:59", "dd.MM.yyyy HH:mm", date).toISOString(),
    });
  },
};

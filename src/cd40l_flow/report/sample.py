"""One report: a single HTML file that needs nothing but a browser."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from cd40l_flow.assay.citations import methods
from cd40l_flow.assay.lookup import assay_named, using
from cd40l_flow.assay.texts import load_texts
from cd40l_flow.base.disk import write_atomically
from cd40l_flow.base.errors import RecordError
from cd40l_flow.figures.binned import NOTHING, read_densities
from cd40l_flow.report.acquisition import acquisition_views, matrix_views, slope_views, uncut_words
from cd40l_flow.report.banner import banner, guard_rows, rule_rows
from cd40l_flow.report.figures import Subject, why_absent
from cd40l_flow.report.first_page import own_parts
from cd40l_flow.report.gating import gating_views
from cd40l_flow.report.headline import headline, history, limiting, quality, signers, slots
from cd40l_flow.report.methods import configuration_view, method_sections
from cd40l_flow.report.pages import read_asset, running_header, security_policy, template
from cd40l_flow.report.replicates import replicate_views
from cd40l_flow.report.review import SignOff, gate_verdicts, review_view
from cd40l_flow.report.tables import compared_populations, gate_rows, message_rows, method_rows, scale_rows, tube_rows
from cd40l_flow.result.margins import decided_by, nearest_limit
from cd40l_flow.result.record import read_record
from cd40l_flow.result.reviews.files import Reviews
from cd40l_flow.result.reviews.signable import signable
from cd40l_flow.result.reviews.state import digest_of, states_of

PathLike = str | Path


def _read_subject(result_path: PathLike, densities_path: PathLike) -> Subject:
    result = read_record(result_path)
    try:
        return Subject(result, read_densities(densities_path, result))
    except RecordError as error:
        # Every number is in the result: the report is written, and states in place of each figure why it is missing.
        return Subject(result, NOTHING, _in_words(error))


def _in_words(error: RecordError) -> str:
    """Return what is wrong with a file of a step, by its name: a report shall not show where a laboratory keeps it."""
    return f"{Path(error.path).name} {error.found} {error.remedy}"


def render_report(
    subject: Subject,
    controls: Sequence[Subject],
    provenance: Mapping[str, str],
    sign_off: SignOff,
    not_shown: Sequence[str] = (),
) -> str:
    """Return the report of one sample with the first of its controls; the others join the table of measures.

    ``sign_off`` is what a review is bound to and what the reviews amount to; ``not_shown`` what could not be read of it
    or its controls, in words.
    """
    with using(assay_named(subject.result.assay)):
        return _rendered(subject, controls, provenance, sign_off, not_shown)


def _rendered(
    subject: Subject,
    controls: Sequence[Subject],
    provenance: Mapping[str, str],
    sign_off: SignOff,
    not_shown: Sequence[str],
) -> str:
    from markupsafe import Markup

    from cd40l_flow.figures import acquisition as figures_acquisition
    from cd40l_flow.figures import gating as figures_gating
    from cd40l_flow.figures import target as figures_target
    from cd40l_flow.figures.drawing import rules, svg

    result, control = subject.result, controls[0] if controls else None
    control_results = [each.result for each in controls]
    lines = {
        "t": figures_target.STYLES,
        "g": figures_gating.STYLES,
        "c": figures_acquisition.styles(),
    }
    drawn = [rules(prefix, styles) for prefix, styles in lines.items()]
    head, review = headline(result, sign_off.state), review_view(result, sign_off)
    running = load_texts()["page"]["running"].format(
        sample=result.sample, run=result.run, call=head["word"], status=review["word"]
    )
    style = "\n".join(
        [read_asset("style.css", "report.css", "review.css", "page.css"), *drawn, running_header(running)]
    )
    script = read_asset("store.js", "saving.js", "review.js", "page.js")
    shown_results = [result, *control_results[:1]]
    compared = compared_populations(shown_results)
    context: dict[str, object] = {
        "t": load_texts(),
        "svg": svg,
        "style": Markup(style),
        "script": Markup(script),
        "policy": security_policy(style, script),
        "result": result,
        "control": control.result if control is not None else None,
        "banner": banner(result),
        "head": head,
        "slots": slots(result),
        "history": history(result),
        **own_parts(subject, control, control_results),
        "decided": decided_by(result),
        "nearest": nearest_limit(result),
        "quality": quality(result),
        "limiting": limiting(result),
        "signers": signers(review["signatures"]),
        "gating": gating_views(subject, control),
        "acquisition": acquisition_views(subject, control),
        "uncut": uncut_words(result),
        "course_styles": figures_acquisition.styles(),
        "matrices": matrix_views(result),
        "slopes": slope_views(result),
        "replicates": replicate_views(result),
        "review": review,
        "verdicts": gate_verdicts(sign_off.state, sign_off.subject),
        "why_absent": why_absent(result),
        "guards": guard_rows(result),
        "rules": rule_rows(result),
        "messages": message_rows(result, not_shown),
        "gates": gate_rows(result),
        "compared": [load_texts()["sections"]["tubes"]["shares"].get(name, name) for name in compared],
        "tubes": [rows for each in shown_results if (rows := tube_rows(each, compared)) is not None],
        "methods": method_rows(result),
        "miflowcyt": method_sections(result),
        "described": methods(result.configuration.limits, result.engine_version, [result.assay]),
        "configuration": configuration_view(result),
        "digest": sign_off.subject.digest,
        "scales": scale_rows(result),
        "provenance": list(provenance.items()),
        "line_styles": figures_target.STYLES,
        "fill": figures_target.FILL,
        "gate_styles": figures_gating.STYLES,
    }
    return template("report.html.j2").render(context).lstrip()


def write_report(
    result_path: PathLike,
    densities_path: PathLike,
    control_pairs: Sequence[tuple[PathLike, PathLike]],
    out_path: PathLike,
    provenance: Mapping[str, str],
    reviews: Reviews | None = None,
) -> list[str]:
    """Write the report of one sample; return what of its figures and controls could not be read, and is not shown.

    ``control_pairs`` are ``result.json`` and ``densities.npz`` of the controls it was compared with, in the order of
    the result; ``provenance`` is printed as it is, in its order; ``reviews`` are those of the sample and its controls.
    Raises RecordError for a result that was changed or is not of its sample.
    """
    subject = _read_subject(result_path, densities_path)
    own = signable(subject.result, digest_of(result_path))
    signed = {own.sample: own}
    controls, problems = [], [(str(subject.result.sample), subject.problem)]
    for pair in control_pairs:
        try:
            controls.append(_read_subject(*pair))
        except RecordError as error:
            problems.append((Path(pair[0]).parent.name, _in_words(error)))
        else:
            problems.append((controls[-1].result.sample, controls[-1].problem))
            signed[controls[-1].result.sample] = signable(controls[-1].result, digest_of(pair[0]))
    messages = [f"{sample} is not shown in full: {problem}" for sample, problem in problems if problem]
    reviews = reviews or Reviews()
    states = states_of(signed, reviews)
    control_states = {name: states[name] for name in signed if name != own.sample}
    sign_off = SignOff(own, states[own.sample], control_states, reviews.people)
    page = render_report(subject, controls, provenance, sign_off, messages)
    write_atomically(out_path, page)
    return messages

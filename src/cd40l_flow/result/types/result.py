"""The result of one sample: the one definition from which reader, writer and JSON Schema are made."""

from typing import Annotated

from msgspec import Meta

from cd40l_flow.assay.limits import LimitValue
from cd40l_flow.assay.lookup import ASSAYS
from cd40l_flow.base.records import Count, Digest, Fraction, Percent, Record, doc, one_of
from cd40l_flow.cohort.settings import PanelValue
from cd40l_flow.result.types.acquisition import Acquisition
from cd40l_flow.result.types.b_cells import Cd40, Memory
from cd40l_flow.result.types.control import Control
from cd40l_flow.result.types.decision import Change, Codes, Guard, Message, Odds, Rule, Subcall
from cd40l_flow.result.types.fields import Answer, Call, Reagent, Reason
from cd40l_flow.result.types.gates import Gate, LogicleScale
from cd40l_flow.result.types.measures import Measures
from cd40l_flow.result.types.tubes import CompensationSlope, ReplicateGroup, Tube


class Inputs(Record, frozen=True):
    """What the result was made of, by content; it is out of date when one of these digests changes."""

    job: Annotated[
        str,
        doc(
            "SHA-256 of the sample's rows of the sheets, its configuration, the engine's version and its files' probes."
        ),
    ]
    files: Annotated[
        dict[str, str | None],
        doc("File of the sheet to its SHA-256, over the bytes outside DATA and DATA's digest; null where missing."),
    ]
    controls: Annotated[
        dict[str, str],
        doc("The digest of the job of each control that it was compared with; failed where its analysis failed."),
    ]


class Metadata(Record, frozen=True):
    """What the sheet says about the sample."""

    transplant: Annotated[Answer, doc("Stem-cell transplant.")]
    calcineurin_inhibitor: Annotated[Answer, doc("Ciclosporin or tacrolimus.")]
    steroid: Annotated[Answer, doc("Steroid treatment.")]
    anti_cd154: Annotated[Answer, doc("Therapeutic anti-CD154.")]
    transfusion: Annotated[Answer, doc("Recent transfusion.")]
    anticoagulant: Annotated[str, doc("As written, or empty.")]
    collected_h: Annotated[float | None, doc("Hours from collection to stimulation.")]
    stimulation_h: Annotated[float | None, doc("Hours of stimulation.")]
    collected: Annotated[str, doc("Order of the subject's samples: a number, or the month as YYYY-MM; or empty.")]
    b_depletion: Annotated[Answer, doc("An antibody that removes B cells within 12 months.")]
    anti_cd40: Annotated[Answer, doc("Therapeutic anti-CD40.")]
    igm_g_l: Annotated[float | None, doc("Serum IgM, g/L.")]
    igg_g_l: Annotated[float | None, doc("Serum IgG, g/L.")]
    iga_g_l: Annotated[float | None, doc("Serum IgA, g/L.")]
    ige_iu_ml: Annotated[float | None, doc("Serum IgE, IU/mL.")]
    b_per_ul: Annotated[float | None, doc("B cells per microlitre of blood.")]
    genotype: Annotated[str, doc("What sequencing found, as written, or empty.")]
    expected_fraction: Annotated[
        Fraction | None, doc("Non-expressing cells that a sample of a dilution series was made with, 0 to 1.")
    ]
    show: Annotated[dict[str, str], doc("Further columns of the sheet that the configuration shows, by their labels.")]


class Reference(Record, frozen=True):
    """Which limits of the laboratory were used."""

    digest: Annotated[Digest, doc("SHA-256 of the reference file's content.")]
    controls: Annotated[int, doc("Healthy controls it rests on.")]
    failed: Annotated[int, doc("Controls left out because they failed.")]
    few: Annotated[bool, doc("Whether they are too few to be more than provisional.")]
    healthy_negative_sd: Annotated[
        dict[str, float], doc("SD of the negative fraction among healthy donors, as used for the limits of detection.")
    ]
    level_sd: Annotated[
        dict[str, float], doc("SD of the ln level of expression among healthy donors, as used for the odds.")
    ]


class Configuration(Record, frozen=True):
    """The configuration that the result depends on, defaults filled in; of a spillover file only its name."""

    limits: Annotated[dict[str, dict[str, LimitValue]], doc("Every cut-off by group and name.")]
    panels: Annotated[dict[str, dict[str, PanelValue]], doc("The panels used: marker to detector.")]
    spillover: Annotated[str, doc("file, none or the name of a CSV file.")]
    require_function: Annotated[bool, doc("Whether a valid CD40-Ig result is needed for a call.")]
    show_columns: Annotated[list[str], doc("Labels of the columns of the sheet that reports may show, in their order.")]


class Result(Record, frozen=True):
    """Everything measured and decided for one sample: numbers to 10 significant digits, null where not computed."""

    schema_version: Annotated[Annotated[str, Meta(pattern="^1\\.[0-9]+$")], doc("Version of this schema.")]
    engine_version: Annotated[str, doc("Version of the analysis; a change means numbers may differ.")]
    digest: Annotated[
        Digest | None,
        doc("SHA-256 of the file without the line that holds it; null for a result of schema 1.0, which had none."),
    ]
    densities: Annotated[
        Digest | None, doc("SHA-256 of `densities.npz`, which lies beside the result; null where it has none.")
    ]
    sample: Annotated[
        Annotated[
            str, Meta(pattern="^[A-Za-z0-9][A-Za-z0-9._-]*$", title="a name of letters, digits, '.', '_' and '-'")
        ],
        doc("Sample id."),
    ]
    assay: Annotated[Annotated[str, one_of(*ASSAYS)], doc("The flow test.")]
    subject: Annotated[str, doc("Pseudonym of the patient, or empty; joins samples on one page.")]
    run: Annotated[str, doc("Run id.")]
    role: Annotated[Annotated[str, one_of("test", "control")], doc("Role in the run.")]
    sex: Annotated[Annotated[str, one_of("F", "M", "unknown")], doc("As the sheet says.")]
    age_band: Annotated[str | None, doc("Age in a band, never exact.")]
    controls: Annotated[list[str], doc("Samples it was compared with.")]
    inputs: Annotated[
        Inputs, doc("What the result was made of, by content; it is out of date when one of these digests changes.")
    ]
    metadata: Annotated[Metadata, doc("What the sheet says about the sample.")]
    call: Annotated[Call, doc("The automatic call; a review never changes it.")]
    reasons: Annotated[list[Reason], doc("Why the call is not plainer, or why there is none.")]
    qc: Annotated[Annotated[str, one_of("pass", "warn", "fail")], doc("Summary of the checks.")]
    subcalls: Annotated[dict[Reagent, Subcall], doc("Reagent to its sub-call.")]
    statement: Annotated[list[str], doc("The call in words, sentence by sentence.")]
    guards: Annotated[list[Guard], doc("Every check with value and limit.")]
    rules: Annotated[list[Rule], doc("Every rule tried, in order.")]
    pattern: Annotated[Call, doc("What the measures alone would give, before any check took it away.")]
    lent: Annotated[Control | None, doc("What a control gives to the samples of its run; null for a test sample.")]
    activated_events: Annotated[
        Count | None, doc("Live single CD3+CD8-CD69+ cells of the stimulated CD154 tube, else the CD40-Ig tube.")
    ]
    cd69_percent: Annotated[Percent | None, doc("CD69 positive percent of CD3+CD8-, same tube.")]
    tubes: Annotated[list[Tube], doc("Every tube of the sheet, in canonical order.")]
    gates: Annotated[list[Gate], doc("Every boundary.")]
    scales: Annotated[dict[str, LogicleScale], doc("Detector to logicle scale.")]
    reagents: Annotated[dict[Reagent, Measures], doc("Reagent to its measures.")]
    messages: Annotated[list[Message], doc("Remarks for the reader.")]
    acquisition: Annotated[Acquisition, doc("Acquisition QC in time.")]
    compensation: Annotated[
        list[CompensationSlope],
        doc("Slopes of the target against other markers: what spillover is left, or was taken twice."),
    ]
    family: Annotated[str, doc("Family of the sheet, or empty; relatives are shown side by side in the index.")]
    reference: Annotated[
        Reference | None, doc("The laboratory's own limits that were used; null for the defaults of the configuration.")
    ]
    codes: Annotated[Codes | None, doc("Coded results for laboratory systems (LOINC); null for assays without codes.")]
    would_change: Annotated[
        list[Change],
        doc(
            "The smallest changes of checks, number of controls or measures that would change the call; nearest first."
        ),
    ]
    configuration: Annotated[
        Configuration,
        doc("The configuration that the result depends on, defaults filled in; of a spillover file only its name."),
    ]
    replicates: Annotated[
        list[ReplicateGroup],
        doc("Tubes that were pooled, each set with the measures of every tube and how far any two lie apart."),
    ]
    memory: Annotated[Memory | None, doc("Subsets of B cells; null for other assays.")]
    cd40: Annotated[Cd40 | None, doc("CD40 on B cells and monocytes; null for other assays.")]
    odds: Annotated[Odds, doc("The odds by all reagents together, and the ratio of CD40-Ig over CD154.")]

    def numbers(self, reagent: str) -> dict[str, float | None]:
        """Return every number of a reagent by its name; nothing where it was not measured."""
        return self.reagents[reagent].numbers() if reagent in self.reagents else {}

"""Forms that people fill in with a decision."""

from spectra_bot.forms.field import FieldKind, FormField
from spectra_bot.forms.form import FREE_FORM, WHY_FORM, Form, problems

__all__ = ["FREE_FORM", "WHY_FORM", "FieldKind", "Form", "FormField", "problems"]
